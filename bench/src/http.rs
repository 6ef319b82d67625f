//! The least HTTP/1.1 that both ends of the benchmark need: blocking, kept alive, bodies with a length.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// The longest body that is read.
const MAX_BODY_BYTES: usize = 1 << 30;

/// One end of a connection.
#[derive(Debug)]
pub struct Wire {
    reader: BufReader<TcpStream>,
}

/// A request or an answer.
#[derive(Debug, Default)]
pub struct Message {
    /// The first line: `GET /path HTTP/1.1`, or `HTTP/1.1 200 OK`.
    pub start: String,
    /// The `Host` header.
    pub host: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Wire {
    /// Takes over a connected socket.
    ///
    /// # Errors
    /// The socket is not usable.
    pub fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self {
            reader: BufReader::with_capacity(64 << 10, socket),
        })
    }

    /// Reads the next message into `message`, whose body's buffer is used again; `false` at the end of the connection.
    ///
    /// # Errors
    /// The connection broke, or what came is not HTTP with a `Content-Length`.
    ///
    /// # Blocking
    /// Until the message is there.
    pub fn read(&mut self, message: &mut Message) -> io::Result<bool> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Ok(false);
        }
        message.start = line.trim_end().to_owned();
        let mut length = 0;
        loop {
            line.clear();
            self.reader.read_line(&mut line)?;
            let header = line.trim_end();
            if header.is_empty() {
                break;
            }
            let Some((name, value)) = header.split_once(':') else {
                continue;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().map_err(io::Error::other)?,
                "host" => message.host = value.trim().to_owned(),
                "transfer-encoding" => return Err(io::Error::other("a body without a length")),
                _ => {}
            }
        }
        if length > MAX_BODY_BYTES {
            return Err(io::Error::other("an unreasonably long body"));
        }
        message.body.clear();
        message.body.reserve(length);
        let read = (&mut self.reader).take(length as u64).read_to_end(&mut message.body)?;
        if read < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(true)
    }

    /// Writes a message with this first line and body.
    ///
    /// # Errors
    /// The connection broke.
    pub fn write(&mut self, start: &str, headers: &str, body: &[u8]) -> io::Result<()> {
        if body.len() < 64 << 10 {
            // One segment: a small answer must not wait for its own head's acknowledgement.
            let message = [head(start, headers, body.len()).as_bytes(), body].concat();
            return self.go_on(&message);
        }
        self.begin(start, headers, body.len())?;
        self.go_on(body)
    }

    /// Writes all of a message but its body of so many bytes.
    ///
    /// # Errors
    /// The connection broke.
    pub fn begin(&mut self, start: &str, headers: &str, body_bytes: usize) -> io::Result<()> {
        self.go_on(head(start, headers, body_bytes).as_bytes())
    }

    /// Writes a piece of a body.
    ///
    /// # Errors
    /// The connection broke.
    pub fn go_on(&mut self, piece: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(piece)
    }
}

fn head(start: &str, headers: &str, body_bytes: usize) -> String {
    format!("{start}\r\n{headers}Content-Length: {body_bytes}\r\n\r\n")
}

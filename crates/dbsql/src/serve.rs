//! `dbsql serve`.

use std::net::SocketAddr;

use databricks_local::Workspace;

use crate::cli::ServeArgs;
use crate::failure::Failure;
use crate::target;

pub(crate) fn run(args: ServeArgs) -> Result<(), Failure> {
    let workspace = target::start(&args.workspace, |mut builder| {
        builder = builder.listen(SocketAddr::from((args.host, args.port))).tls(args.tls);
        if let Some(token) = args.token.as_ref().filter(|token| !token.expose().is_empty()) {
            builder = builder.token(token.expose().to_owned());
        }
        args.flags.iter().fold(builder, |builder, flag| {
            builder.flag(flag.key.clone(), flag.value.clone())
        })
    })?;
    for fault in args.faults {
        workspace.fault(fault);
    }
    print!("{}", greeting(&workspace, args.workspace.scale_factor()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::signal::ctrl_c())?;
    eprintln!("\nstopping");
    workspace.stop();
    Ok(())
}

fn greeting(workspace: &Workspace, scale_factor: f64) -> String {
    let (url, token, http_path, uri) = (
        workspace.url(),
        workspace.token(),
        workspace.http_path(),
        workspace.uri(),
    );
    let mut text = format!(
        "\
A Databricks SQL workspace is listening. Ctrl-C stops it.

  url        {url}
  http path  {http_path}
  token      {token}
"
    );
    if let (Some(https), Some(ca)) = (workspace.https_url(), workspace.ca_pem_path()) {
        text += &format!("  https      {https}\n  CA         {}\n", ca.display());
    }
    text += &format!(
        "
  catalogs   samples.tpch (scale factor {scale_factor}), main.default (writable), system.telemetry.driver_log

This command line, in another terminal:
  dbsql query --url \"{uri}\" \"SELECT * FROM samples.tpch.nation\"

Python (pip install databricks-sql-connector pyarrow):
  from databricks import sql
  connection = sql.connect(server_hostname=\"localhost\", http_path=\"{http_path}\", access_token=\"{token}\", _connection_uri=\"{url}{http_path}\", enable_telemetry=False)
  print(connection.cursor().execute(\"SELECT * FROM samples.tpch.nation\").fetchall())

Rust (adbc-databricks, adbc_core):
  let database = adbc_databricks::Driver.new_database_with_opts([(OptionDatabase::Uri, \"{uri}\".into())])?;
  let mut statement = database.new_connection()?.new_statement()?;
  statement.set_sql_query(\"SELECT * FROM samples.tpch.nation\")?; let rows = statement.execute()?;
",
    );
    text
}

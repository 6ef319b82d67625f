// @databricks/sql: over Thrift, its default (`thrift`), or over the Statement Execution API by the kernel (`kernel`).
// Its argument is what script.py has for every client: the statements, and what must come of them.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isDeepStrictEqual } from 'node:util';

const { BACKEND, FOREIGN_HTTP, FOREIGN_HTTPS, FOREIGN_CA, FOREIGN_MODULES } = process.env;
const { DBSQLClient } = createRequire(`${FOREIGN_MODULES}/`)('@databricks/sql');
const { path, token, types, large, failures, tables, endless } = JSON.parse(process.argv[2]);

const done = (what) => console.log(`  ok      ${what}`);

function same(found, expected, what) {
  const shown = (value) => JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `${part}n` : part));
  if (!isDeepStrictEqual(found, expected)) throw new Error(`${what}: ${shown(found)} is not ${shown(expected)}`);
}

async function connect(more = {}) {
  const where =
    BACKEND === 'kernel'
      ? { host: FOREIGN_HTTP, useKernel: true }
      : { host: 'localhost', port: Number(new URL(FOREIGN_HTTPS).port), customCaCert: readFileSync(FOREIGN_CA) };
  const client = new DBSQLClient({ logger: { log() {} } });
  return client.connect({ path, token, telemetryEnabled: false, ...where, ...more });
}

async function rows(session, text, options) {
  const operation = await session.executeStatement(text, options);
  const found = await operation.fetchAll();
  await operation.close();
  return found;
}

// The values as JavaScript has them: doubles for decimals, dates without microseconds, objects for maps. BIGINT is out of their
// exact range here, so it is asked for as text.
const VALUES = {
  bool: true,
  tiny: -128,
  small: -32768,
  i: 2147483647,
  f: 1.5,
  d: 1e300,
  dec: 12345678901234567890.0123456789,
  text: 'Größe 🦀',
  bin: Buffer.from([0x00, 0xff, 0x10]),
  day: new Date('1969-07-20'),
  ts: new Date('2024-02-29T12:34:56.789Z'),
  ntz: new Date('1969-07-20T20:17:40.500Z'),
  list: [1, 2, null],
  map: { a: 1, b: 2 },
  struct: { x: 1, y: 'z' },
  months: '1-2',
  days: '1 02:03:04.000000000',
  nothing: null,
  no_int: null,
  no_text: null,
};

async function values(session) {
  const names = Object.keys(VALUES);
  const [row] = await rows(session, `SELECT ${names.map((name) => `${types[name]} AS ${name}`).join(', ')}`);
  same(Object.keys(row), names, 'the columns');
  for (const name of names) {
    const found = Buffer.isBuffer(VALUES[name]) ? Buffer.from(row[name]) : row[name];
    same(JSON.stringify(found), JSON.stringify(VALUES[name]), name);
  }
  done(`${names.length} types with their values`);
}

async function parameters(session) {
  const namedParameters = { i: 7, t: "it's", b: true };
  same(await rows(session, 'SELECT :i AS i, :t AS t, :b AS b', { namedParameters }), [namedParameters], 'named parameters');
  const byPlace = await rows(session, 'SELECT ? + 1 AS i, ? AS t', { ordinalParameters: [41, 'x'] });
  same(byPlace, [{ i: 42, t: 'x' }], 'parameters by position');
  done('parameters, named and by position');
}

async function everyRow(session, { text, rows: expected }, options, how) {
  const operation = await session.executeStatement(text, options);
  let [count, sum] = [0, 0];
  do {
    for (const row of await operation.fetchChunk({ maxRows: 100_000 })) {
      count += 1;
      sum += Number(row.id);
    }
  } while (await operation.hasMoreRows());
  await operation.close();
  same([count, sum], [expected, (expected * (expected - 1)) / 2], 'rows and the sum of their ids');
  done(`${count} rows ${how}, and their sum`);
}

async function errors(session) {
  for (const [text, [condition, sqlState]] of Object.entries(failures)) {
    const error = await rows(session, text).then(() => undefined, (caught) => caught);
    const { message = 'no error' } = error ?? {};
    if (!message.includes(`[${condition}`) || !message.includes(`SQLSTATE: ${sqlState}`)) throw new Error(`${text}: ${message}`);
  }
  done(`${Object.keys(failures).length} errors with their class and SQLSTATE`);
}

async function metadata(session) {
  const all = async (operation) => (await operation).fetchAll();
  const column = (found, name) => found.map((row) => row[name]).sort();
  const there = { catalogName: 'samples', schemaName: 'tpch' };
  same(column(await all(session.getCatalogs()), 'TABLE_CAT'), ['main', 'samples', 'system'], 'catalogs');
  same(column(await all(session.getSchemas({ catalogName: 'samples' })), 'TABLE_SCHEM'), ['information_schema', 'tpch'], 'schemas');
  same(column(await all(session.getTables(there)), 'TABLE_NAME'), tables, 'tables');
  const columns = await all(session.getColumns({ ...there, tableName: 'region' }));
  same(columns.map((row) => row.COLUMN_NAME), ['r_regionkey', 'r_name', 'r_comment'], 'columns');
  done('catalogs, schemas, tables, columns');
  if (BACKEND === 'kernel') return;
  await rows(session, 'CREATE OR REPLACE TABLE main.default.foreign_parent (id INT NOT NULL, CONSTRAINT parent_key PRIMARY KEY (id))');
  await rows(
    session,
    'CREATE OR REPLACE TABLE main.default.foreign_child (of INT, CONSTRAINT child_key FOREIGN KEY (of) REFERENCES main.default.foreign_parent (id))',
  );
  const parent = { catalogName: 'main', schemaName: 'default', tableName: 'foreign_parent' };
  const keys = await all(session.getPrimaryKeys(parent));
  same(keys.map((row) => [row.COLUMN_NAME, row.KEY_SEQ, row.PK_NAME]), [['id', 1, 'parent_key']], 'primary keys');
  const references = await all(
    session.getCrossReference({
      parentCatalogName: 'main',
      parentSchemaName: 'default',
      parentTableName: 'foreign_parent',
      foreignCatalogName: 'main',
      foreignSchemaName: 'default',
      foreignTableName: 'foreign_child',
    }),
  );
  same(references.map((row) => [row.PKCOLUMN_NAME, row.FKCOLUMN_NAME, row.FK_NAME]), [['id', 'of', 'child_key']], 'references');
  same((await all(session.getTypeInfo())).length, 18, 'types');
  same(column(await all(session.getTableTypes()), 'TABLE_TYPE'), ['SYSTEM TABLE', 'TABLE', 'VIEW'], 'types of tables');
  same((await session.getInfo(17)).getValue(), 'Spark SQL', 'the name of the database');
  done('keys and references, types, what the server is');
}

async function cancelled(session) {
  const operation = await session.executeStatement(endless, { runAsync: true });
  const end = operation.finished().then(() => undefined, (caught) => caught);
  await operation.cancel();
  const error = await end;
  if (error === undefined) throw new Error('the query that does not end has ended');
  done(`cancelled: ${error.constructor.name}`);
  same(await rows(session, 'SELECT 1 AS one'), [{ one: 1 }], 'after a cancel');
}

async function refusals() {
  for (const [what, more] of [
    ['a wrong token', { token: 'wrong' }],
    ['an unknown warehouse', { path: '/sql/1.0/warehouses/f00' }],
  ]) {
    const error = await connect(more)
      .then((client) => client.openSession())
      .then(() => undefined, (caught) => caught);
    if (error === undefined) throw new Error(`${what}: no error`);
    done(`${what}: ${error.constructor.name}: ${error.message.slice(0, 100)}`);
  }
}

const client = await connect();
const session = await client.openSession({ initialCatalog: 'samples', initialSchema: 'tpch' });
same(await rows(session, 'SELECT current_schema() AS s'), [{ s: 'tpch' }], 'the place of the session');
await values(session);
await parameters(session);
await everyRow(session, large, {}, 'by links');
if (BACKEND === 'thrift') {
  const smaller = { text: 'SELECT id FROM range(300000)', rows: 300_000 };
  await everyRow(session, smaller, { useCloudFetch: false }, 'without links, in turns');
}
await errors(session);
await metadata(session);
same(await rows(session, 'SELECT * FROM samples.tpch.nation WHERE FALSE'), [], 'an empty result');
await cancelled(session);
await session.close();
await client.close();
await refusals();

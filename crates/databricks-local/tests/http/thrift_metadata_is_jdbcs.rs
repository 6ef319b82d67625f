use crate::client::builder;
use crate::thrift::{Thrift, Value, direct, fields, text};

/// Names of the columns, and the rows as texts, of a metadata call.
async fn asked<const N: usize>(
    thrift: &Thrift,
    method: &str,
    more: [(i16, Value); N],
) -> (Vec<String>, Vec<Vec<String>>) {
    let mut request = std::collections::BTreeMap::from([(1, thrift.session.clone())]);
    request.extend(more);
    // Without direct results the call answers when the operation is done.
    let operation = thrift.succeed(method, Value::Struct(request)).await.at(&[2]).clone();
    let status = thrift.ended(&operation).await;
    assert_eq!(status.at(&[2]), &Value::I32(2), "{method}: {status:?}");
    let fetched = thrift.fetch(&operation, [(1283, Value::Bool(true))]).await;
    let names = fetched
        .at(&[1281, 2, 1])
        .list()
        .iter()
        .map(|column| column.at(&[1]).str().to_owned());
    let columns: Vec<Vec<String>> = fetched
        .at(&[3, 3])
        .list()
        .iter()
        .map(|column| {
            let Value::Struct(members) = column else {
                panic!("{column:?}")
            };
            let (_, values) = members.first_key_value().unwrap();
            let nulls = values.at(&[2]).bytes();
            let shown = values.at(&[1]).list().iter().enumerate().map(|(row, value)| {
                let is_null = nulls.get(row / 8).is_some_and(|bits| bits >> (row % 8) & 1 == 1);
                match value {
                    _ if is_null => "-".to_owned(),
                    Value::Bytes(_) => value.str().to_owned(),
                    Value::I16(number) => number.to_string(),
                    Value::I32(number) => number.to_string(),
                    other => format!("{other:?}"),
                }
            });
            shown.collect()
        })
        .collect();
    let count = columns.first().map_or(0, Vec::len);
    let rows = (0..count).map(|row| columns.iter().map(|column| column[row].clone()).collect());
    (names.collect(), rows.collect())
}

fn column(rows: &[Vec<String>], at: usize) -> Vec<&str> {
    rows.iter().map(|row| row[at].as_str()).collect()
}

#[tokio::test]
async fn names_are_found_by_patterns() {
    let workspace = builder().start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    let (names, rows) = asked(&thrift, "GetCatalogs", []).await;
    assert_eq!(names, ["TABLE_CAT"]);
    assert_eq!(column(&rows, 0), ["main", "samples", "system"]);
    let (names, rows) = asked(&thrift, "GetSchemas", [(2, text("SAMPLES")), (3, text("t%"))]).await;
    assert_eq!(names, ["TABLE_SCHEM", "TABLE_CATALOG"]);
    assert_eq!(rows, [["tpch", "samples"]]);

    let table = |name: &str| [(2, text("samples")), (3, text("tpch")), (4, text(name))];
    let (names, rows) = asked(&thrift, "GetTables", table("PART%")).await;
    assert_eq!(names.len(), 10);
    assert_eq!(column(&rows, 2), ["part", "partsupp"]);
    assert_eq!(column(&rows, 3), ["TABLE", "TABLE"]);
    let (_, rows) = asked(&thrift, "GetTables", table("_art")).await;
    assert_eq!(column(&rows, 2), ["part"]);
    let (_, rows) = asked(&thrift, "GetTables", table(r"\_art")).await;
    assert!(rows.is_empty());
    let types = |names: &[&str]| (5, Value::List(names.iter().map(|name| text(name)).collect()));
    let (_, rows) = asked(&thrift, "GetTables", [(2, text("samples")), types(&["VIEW"])]).await;
    assert!(rows.is_empty());
    let (_, rows) = asked(&thrift, "GetTables", [(2, text("samples")), types(&["view", "table"])]).await;
    assert_eq!(rows.len(), 8);
    let (_, rows) = asked(&thrift, "GetTables", [(2, text("it's; DROP"))]).await;
    assert!(rows.is_empty());
}

#[tokio::test]
async fn columns_keys_and_types_are_described() {
    let workspace = builder().start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    for sql in [
        "CREATE TABLE main.default.parent (id INT NOT NULL COMMENT 'the key', d DECIMAL(10,2), CONSTRAINT pk PRIMARY KEY (id))",
        "CREATE TABLE main.default.child (of INT, CONSTRAINT fk FOREIGN KEY (of) REFERENCES main.default.parent (id))",
    ] {
        thrift.execute(sql, [direct()]).await;
    }
    let parent = [(2, text("main")), (3, text("default")), (4, text("parent"))];
    let (names, rows) = asked(&thrift, "GetColumns", parent.clone()).await;
    assert_eq!(names.len(), 23);
    let of = |name: &str| names.iter().position(|there| there == name).unwrap();
    assert_eq!(column(&rows, of("COLUMN_NAME")), ["id", "d"]);
    assert_eq!(column(&rows, of("DATA_TYPE")), ["4", "3"]);
    assert_eq!(column(&rows, of("TYPE_NAME")), ["INT", "DECIMAL(10,2)"]);
    assert_eq!(column(&rows, of("COLUMN_SIZE")), ["10", "10"]);
    assert_eq!(column(&rows, of("DECIMAL_DIGITS")), ["0", "2"]);
    assert_eq!(column(&rows, of("IS_NULLABLE")), ["NO", "YES"]);
    assert_eq!(column(&rows, of("REMARKS")), ["the key", ""]);

    let (_, rows) = asked(&thrift, "GetPrimaryKeys", parent.clone()).await;
    assert_eq!(rows, [["main", "default", "parent", "id", "1", "pk"]]);
    let (_, rows) = asked(&thrift, "GetCrossReference", parent).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][3..8], ["id", "main", "default", "child", "of"]);
    assert_eq!(rows[0][8..], ["1", "3", "3", "fk", "pk", "7"]);

    let (names, rows) = asked(&thrift, "GetTypeInfo", []).await;
    assert_eq!((names.len(), rows.len()), (18, 18));
    let (_, rows) = asked(&thrift, "GetTableTypes", []).await;
    assert_eq!(column(&rows, 0), ["SYSTEM TABLE", "TABLE", "VIEW"]);
    let (names, rows) = asked(&thrift, "GetFunctions", [(4, text("%"))]).await;
    assert_eq!((names.len(), rows.len()), (6, 0));
}

#[tokio::test]
async fn the_server_says_what_it_is() {
    let workspace = builder().start().unwrap();
    let thrift = Thrift::open(&workspace).await;
    let info = |kind| fields([(1, thrift.session.clone()), (2, Value::I32(kind))]);
    assert_eq!(thrift.succeed("GetInfo", info(17)).await.at(&[2, 1]).str(), "Spark SQL");
    assert_eq!(thrift.succeed("GetInfo", info(30)).await.at(&[2, 6]).i64(), 255);
}

//! What there is, as Unity Catalog's REST API tells it: catalogs, schemas, tables and volumes, to be read.
//!
//! The paths and members are those of the [Unity Catalog API](https://docs.databricks.com/api/workspace/catalogs). Members that
//! would have to be invented (ids, times, storage locations) are left out.

use std::sync::Arc;

use axum::extract::{Path, Query, State as Shared};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::reply::{self, Refusal};
use crate::engine::SqlError;
use crate::engine::catalog::{Catalog, Kind, Schema, Table};
use crate::engine::information_schema::{COMMENT, OWNER};
use crate::engine::types::{column_infos, wire_schema};
use crate::state::State;

/// How many items an answer holds at most.
const PAGE: usize = 1000;

/// What lists are asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    catalog_name: Option<String>,
    schema_name: Option<String>,
    max_results: Option<usize>,
    page_token: Option<String>,
    #[serde(default)]
    omit_columns: bool,
}

/// `GET /api/2.1/unity-catalog/catalogs`
pub(super) async fn catalogs(
    Shared(state): Shared<Arc<State>>,
    Query(listing): Query<Listing>,
) -> Result<Response, Refusal> {
    let catalogs = state.engine.catalogs().all();
    page("catalogs", catalogs.map(|catalog| of_catalog(catalog)), &listing)
}

/// `GET /api/2.1/unity-catalog/catalogs/{name}`
pub(super) async fn catalog(Shared(state): Shared<Arc<State>>, Path(name): Path<String>) -> Result<Response, Refusal> {
    Ok(reply::ok(&of_catalog(find_catalog(&state, &name)?)))
}

/// `GET /api/2.1/unity-catalog/schemas?catalog_name=…`
pub(super) async fn schemas(
    Shared(state): Shared<Arc<State>>,
    Query(listing): Query<Listing>,
) -> Result<Response, Refusal> {
    let catalog = find_catalog(&state, required(listing.catalog_name.as_deref(), "catalog_name")?)?;
    let schemas = catalog.all();
    page(
        "schemas",
        schemas.iter().map(|schema| of_schema(catalog, schema)),
        &listing,
    )
}

/// `GET /api/2.1/unity-catalog/schemas/{catalog}.{schema}`
pub(super) async fn schema(
    Shared(state): Shared<Arc<State>>,
    Path(full_name): Path<String>,
) -> Result<Response, Refusal> {
    let [catalog, schema] = parts(&full_name)?;
    let catalog = find_catalog(&state, catalog)?;
    Ok(reply::ok(&of_schema(catalog, &*find_schema(catalog, schema)?)))
}

/// `GET /api/2.1/unity-catalog/tables?catalog_name=…&schema_name=…`
pub(super) async fn tables(
    Shared(state): Shared<Arc<State>>,
    Query(listing): Query<Listing>,
) -> Result<Response, Refusal> {
    let (catalog, schema) = place(&state, &listing)?;
    let tables = schema.all().await;
    let tables = tables
        .iter()
        .map(|table| of_table(catalog, &schema, table, !listing.omit_columns));
    page("tables", tables, &listing)
}

/// `GET /api/2.1/unity-catalog/tables/{catalog}.{schema}.{table}`
pub(super) async fn table(
    Shared(state): Shared<Arc<State>>,
    Path(full_name): Path<String>,
) -> Result<Response, Refusal> {
    let [catalog, schema, table] = parts(&full_name)?;
    let catalog = find_catalog(&state, catalog)?;
    let schema = find_schema(catalog, schema)?;
    match schema.named(table).await.map_err(failed)? {
        Some(table) => Ok(reply::ok(&of_table(catalog, &schema, &table, true))),
        None => Err(missing("TABLE_DOES_NOT_EXIST", "Table", &full_name)),
    }
}

/// `GET /api/2.1/unity-catalog/tables/{catalog}.{schema}.{table}/exists`. A schema that does not exist is an error all the same.
pub(super) async fn table_exists(
    Shared(state): Shared<Arc<State>>,
    Path(full_name): Path<String>,
) -> Result<Response, Refusal> {
    let [catalog, schema, table] = parts(&full_name)?;
    let schema = find_schema(find_catalog(&state, catalog)?, schema)?;
    let found = schema.named(table).await.map_err(failed)?;
    Ok(reply::ok(&json!({ "table_exists": found.is_some() })))
}

/// `GET /api/2.1/unity-catalog/volumes?catalog_name=…&schema_name=…`
pub(super) async fn volumes(
    Shared(state): Shared<Arc<State>>,
    Query(listing): Query<Listing>,
) -> Result<Response, Refusal> {
    let (catalog, schema) = place(&state, &listing)?;
    let volumes = state.engine.volumes.of_schema(&catalog.name, &schema.name);
    let volumes = volumes.iter().map(|volume| {
        json!({
            "name": volume,
            "catalog_name": catalog.name,
            "schema_name": schema.name,
            "full_name": format!("{}.{}.{volume}", catalog.name, schema.name),
            "volume_type": "MANAGED",
            "owner": OWNER,
        })
    });
    page("volumes", volumes, &listing)
}

fn of_catalog(catalog: &Catalog) -> Value {
    json!({
        "name": catalog.name,
        "full_name": catalog.name,
        "comment": catalog.comment,
        "owner": OWNER,
    })
}

fn of_schema(catalog: &Catalog, schema: &Schema) -> Value {
    json!({
        "name": schema.name,
        "catalog_name": catalog.name,
        "full_name": format!("{}.{}", catalog.name, schema.name),
        "comment": schema.comment,
        "owner": OWNER,
    })
}

fn of_table(catalog: &Catalog, schema: &Schema, table: &Table, with_columns: bool) -> Value {
    let mut told = json!({
        "name": table.name,
        "catalog_name": catalog.name,
        "schema_name": schema.name,
        "full_name": format!("{}.{}.{}", catalog.name, schema.name, table.name),
        "table_type": match table.kind {
            // This API has no type for the tables of the system itself; their owner keeps them.
            Kind::Managed | Kind::System => "MANAGED",
            Kind::External => "EXTERNAL",
            Kind::View => "VIEW",
        },
        "owner": OWNER,
    });
    if table.kind == Kind::Managed {
        told["data_source_format"] = json!("DELTA");
    }
    if let Some(comment) = &table.comment {
        told["comment"] = json!(comment);
    }
    if with_columns {
        told["columns"] = columns(table);
    }
    told
}

fn columns(table: &Table) -> Value {
    let schema = table.provider.schema();
    let infos = column_infos(&wire_schema(&schema, &[], &Arc::from("UTC")));
    let columns = schema.fields().iter().zip(infos).map(|(field, info)| {
        let mut column = json!({
            "name": info.name,
            "position": info.position,
            "type_text": info.type_text.to_lowercase(),
            "type_name": info.type_name,
            "type_precision": info.type_precision.unwrap_or(0),
            "type_scale": info.type_scale.unwrap_or(0),
            "nullable": field.is_nullable(),
        });
        if let Some(comment) = field.metadata().get(COMMENT) {
            column["comment"] = json!(comment);
        }
        column
    });
    columns.collect()
}

/// The items that are asked for under `name`, and the token that asks for those after them.
fn page(name: &str, items: impl Iterator<Item = Value>, listing: &Listing) -> Result<Response, Refusal> {
    let start = match listing.page_token.as_deref() {
        None | Some("") => 0,
        Some(token) => token
            .parse::<usize>()
            .map_err(|_| Refusal::invalid("page_token is not one that this workspace gave"))?,
    };
    // Zero, as nothing, asks for as many as the server likes to send.
    let limit = listing.max_results.filter(|&limit| limit > 0).unwrap_or(PAGE).min(PAGE);
    let mut items = items.skip(start);
    let these: Vec<Value> = items.by_ref().take(limit).collect();
    let mut answer = json!({ name: these });
    if items.next().is_some() {
        answer["next_page_token"] = json!((start + limit).to_string());
    }
    Ok(reply::ok(&answer))
}

fn place<'a>(state: &'a State, listing: &Listing) -> Result<(&'a Arc<Catalog>, Arc<Schema>), Refusal> {
    let catalog = find_catalog(state, required(listing.catalog_name.as_deref(), "catalog_name")?)?;
    let schema = find_schema(catalog, required(listing.schema_name.as_deref(), "schema_name")?)?;
    Ok((catalog, schema))
}

fn find_catalog<'a>(state: &'a State, name: &str) -> Result<&'a Arc<Catalog>, Refusal> {
    let found = state.engine.catalogs().named(name);
    found.map_err(|_| missing("CATALOG_DOES_NOT_EXIST", "Catalog", name))
}

fn find_schema(catalog: &Catalog, name: &str) -> Result<Arc<Schema>, Refusal> {
    let full_name = || format!("{}.{name}", catalog.name);
    let found = catalog.named(name);
    found.map_err(|_| missing("SCHEMA_DOES_NOT_EXIST", "Schema", &full_name()))
}

fn parts<const N: usize>(full_name: &str) -> Result<[&str; N], Refusal> {
    let parts: Vec<&str> = full_name.split('.').collect();
    parts
        .try_into()
        .map_err(|_| Refusal::invalid(format!("'{full_name}' is not a full name of {N} parts")))
}

fn required<'a>(value: Option<&'a str>, name: &str) -> Result<&'a str, Refusal> {
    value
        .filter(|value| !value.is_empty())
        .ok_or_else(|| Refusal::invalid(format!("{name} is required")))
}

fn missing(error_code: &'static str, what: &str, name: &str) -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        error_code,
        format!("{what} '{name}' does not exist."),
    )
}

fn failed(error: SqlError) -> Refusal {
    Refusal::invalid(error.to_string())
}

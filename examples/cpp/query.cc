// Reads a query's result in C++ through the ADBC driver manager: no Arrow library, only the C data interface that adbc.h brings.
//
//   query URI "SELECT …"         with ADBC_DRIVER naming the driver: a path, or `databricks` where it is installed
#include <arrow-adbc/adbc.h>
#include <arrow-adbc/adbc_driver_manager.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace {

/// An AdbcError that becomes an exception with the driver's message.
struct Check {
  AdbcError error = ADBC_ERROR_INIT;

  void operator()(AdbcStatusCode status) {
    if (status == ADBC_STATUS_OK) return;
    std::string text = error.message ? error.message : AdbcStatusCodeMessage(status);
    if (error.release) error.release(&error);
    throw std::runtime_error(text);
  }
};

bool is_null(const ArrowArray& column, int64_t row) {
  const auto* validity = static_cast<const uint8_t*>(column.buffers[0]);
  const int64_t bit = row + column.offset;
  return validity && !(validity[bit / 8] >> (bit % 8) & 1);
}

/// One value as text, for the types that this example selects.
std::string text(const ArrowSchema& type, const ArrowArray& column, int64_t row) {
  if (is_null(column, row)) return "NULL";
  const int64_t at = row + column.offset;
  const std::string format = type.format;
  if (format == "i") return std::to_string(static_cast<const int32_t*>(column.buffers[1])[at]);
  if (format == "l") return std::to_string(static_cast<const int64_t*>(column.buffers[1])[at]);
  if (format == "g") return std::to_string(static_cast<const double*>(column.buffers[1])[at]);
  if (format == "u") {
    const auto* offsets = static_cast<const int32_t*>(column.buffers[1]);
    return std::string(static_cast<const char*>(column.buffers[2]) + offsets[at], offsets[at + 1] - offsets[at]);
  }
  return "<" + format + ">";
}

void print(const ArrowSchema& schema, const ArrowArray& batch) {
  for (int64_t row = 0; row < batch.length; ++row) {
    for (int64_t i = 0; i < batch.n_children; ++i) {
      std::printf("%s%s", i ? " | " : "", text(*schema.children[i], *batch.children[i], row).c_str());
    }
    std::printf("\n");
  }
}

void query(const char* uri, const char* sql) {
  Check check;
  AdbcDatabase database{};
  check(AdbcDatabaseNew(&database, &check.error));
  const char* driver = std::getenv("ADBC_DRIVER");
  check(AdbcDatabaseSetOption(&database, "driver", driver ? driver : "databricks", &check.error));
  check(AdbcDriverManagerDatabaseSetLoadFlags(&database, ADBC_LOAD_FLAG_DEFAULT, &check.error));
  check(AdbcDatabaseSetOption(&database, "uri", uri, &check.error));
  check(AdbcDatabaseInit(&database, &check.error));

  AdbcConnection connection{};
  check(AdbcConnectionNew(&connection, &check.error));
  check(AdbcConnectionInit(&connection, &database, &check.error));

  AdbcStatement statement{};
  check(AdbcStatementNew(&connection, &statement, &check.error));
  check(AdbcStatementSetSqlQuery(&statement, sql, &check.error));
  ArrowArrayStream stream{};
  check(AdbcStatementExecuteQuery(&statement, &stream, nullptr, &check.error));

  ArrowSchema schema{};
  if (stream.get_schema(&stream, &schema) != 0) throw std::runtime_error(stream.get_last_error(&stream));
  int64_t rows = 0;
  for (ArrowArray batch{};; batch.release(&batch)) {
    if (stream.get_next(&stream, &batch) != 0) throw std::runtime_error(stream.get_last_error(&stream));
    if (!batch.release) break;
    print(schema, batch);
    rows += batch.length;
  }
  std::printf("%lld rows\n", static_cast<long long>(rows));

  schema.release(&schema);
  stream.release(&stream);
  check(AdbcStatementRelease(&statement, &check.error));
  check(AdbcConnectionRelease(&connection, &check.error));
  check(AdbcDatabaseRelease(&database, &check.error));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: query URI SQL\n");
    return 2;
  }
  try {
    query(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

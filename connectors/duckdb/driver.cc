#include "connectors/duckdb/driver.h"

#include <arrow-adbc/adbc.h>

extern "C" AdbcStatusCode duckdb_adbc_init(int version, void* driver, AdbcError* error);

namespace dxt::duckdb {

const AdbcDriver* Driver() {
  struct Loaded {
    AdbcDriver driver{};
    bool usable = false;
    Loaded() {
      DriverError error;
      usable =
          duckdb_adbc_init(ADBC_VERSION_1_1_0, &driver, error.get()) == ADBC_STATUS_OK;
    }
  };
  static const Loaded loaded;
  return loaded.usable ? &loaded.driver : nullptr;
}

DriverError::DriverError() : error_(std::make_unique<AdbcError>()) {
  *error_ = AdbcError{};
}

DriverError::~DriverError() {
  if (error_->release) error_->release(error_.get());
}

std::string DriverError::Text() const {
  return error_->message ? error_->message : "DuckDB gave no reason";
}

}  // namespace dxt::duckdb

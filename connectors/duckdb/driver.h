#pragma once
#include <memory>
#include <string>

struct AdbcDriver;
struct AdbcError;

namespace dxt::duckdb {

/// The table of ADBC functions that libduckdb filled in. Made at the first call, never
/// changed; null when the library is of another version.
const AdbcDriver* Driver();

/// What a failed call of the driver left, released with its scope.
class DriverError {
 public:
  DriverError();
  ~DriverError();
  AdbcError* get() { return error_.get(); }
  std::string Text() const;

 private:
  std::unique_ptr<AdbcError> error_;
};

}  // namespace dxt::duckdb

#pragma once
#include <memory>

#include <arrow/result.h>

#include "connectors/file/location.h"

namespace dxt {
class Source;
}

namespace dxt::file {

std::unique_ptr<Source> MakeFileSource(Location location);

}  // namespace dxt::file

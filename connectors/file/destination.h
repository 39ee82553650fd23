#pragma once
#include <memory>

#include "connectors/file/location.h"

namespace dxt {
class Destination;
struct ConnectorContext;
}  // namespace dxt

namespace dxt::file {

std::unique_ptr<Destination> MakeFileDestination(Location location,
                                                 const ConnectorContext& context);

}  // namespace dxt::file

#include "state/state_store.h"

namespace dxt {

bool IsTerminalRunState(std::string_view state) {
  return state == "SUCCEEDED" || state == "PARTIAL" || state == "FAILED" ||
         state == "CANCELLED";
}

}  // namespace dxt

#include "client/dxtctl/resource_server.h"

#include <cstdio>
#include <random>

namespace dxt::ctl {

std::string NewRequestId() {
  std::random_device random;
  char text[40];
  std::snprintf(text, sizeof text, "%08x-%04x-4%03x-%04x-%08x%04x", random(),
                random() & 0xFFFFu, random() & 0xFFFu, 0x8000u | (random() & 0x3FFFu),
                random(), random() & 0xFFFFu);
  return text;
}

}  // namespace dxt::ctl

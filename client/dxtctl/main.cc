#include "client/dxtctl/command_line.h"
#include "client/dxtctl/interrupts.h"

int main(int argc, char** argv) {
  dxt::ctl::Interrupts::Install();
  return dxt::ctl::RunCommandLine(argc, argv);
}

#pragma once
#include <string>
#include <vector>

namespace dxt::ctl {

/// The arguments, without the program's name. In `argv` itself, which every user of the
/// machine sees in the list of processes, passwords of connection strings and their
/// options become x's.
std::vector<std::string> TakeArguments(int argc, char** argv);

}  // namespace dxt::ctl

#pragma once
#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace dxt::ctl {

class Invocation;

/// Makes `app` write --help as: how it is called, what it does, arguments, options,
/// commands. Verbs that are added later take it over.
void UseHelp(CLI::App& app);

/// How a positional stands in the synopsis, without the brackets of an optional one: its
/// option_text, else its name in capitals.
std::string ArgumentName(const CLI::Option& positional);

/// Adds `help`, which prints --help of another verb, or what exit codes mean.
void AddHelp(CLI::App& app, Invocation& invocation);

}  // namespace dxt::ctl

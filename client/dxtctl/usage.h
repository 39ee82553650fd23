#pragma once
#include <string>
#include <vector>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace dxt::ctl {

/// Answers what the parser threw: prints help or version, or says on stderr what is wrong
/// with the command line and what was probably meant. Returns the exit code.
int AnswerParseError(const CLI::App& app, const CLI::ParseError& error);

/// "--name" of each long option that `verb` takes, those of all verbs included.
std::vector<std::string> OptionNames(const CLI::App& verb);

}  // namespace dxt::ctl

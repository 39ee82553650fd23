// Every verb as a stranger meets it: its help, a wrong option, what is left out.
#include "client/dxtctl/help.h"

#include <functional>

#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include "client/dxtctl/command_line.h"
#include "client/dxtctl/fake_dxtd.h"
#include "client/dxtctl/invocation.h"

namespace dxt::ctl {
namespace {

using Words = std::vector<std::string>;

std::vector<const CLI::App*> Verbs(const CLI::App& app) {
  return app.get_subcommands(
      [](const CLI::App* verb) { return !verb->get_group().empty(); });
}

/// Calls `see` with each verb that has none below it, and the words that name it.
void ForEachVerb(const std::function<void(const CLI::App&, const Words&)>& see) {
  Invocation invocation;
  CLI::App root;
  BuildCommandLine(root, invocation);
  const std::function<void(const CLI::App&, Words)> walk = [&](const CLI::App& app,
                                                               Words words) {
    const auto verbs = Verbs(app);
    if (verbs.empty()) return see(app, words);
    for (const auto* verb : verbs) {
      Words longer = words;
      longer.push_back(verb->get_name());
      walk(*verb, longer);
    }
  };
  walk(root, {});
}

std::string Name(const Words& words) {
  std::string name = "dxtctl";
  for (const auto& word : words) name += " " + word;
  return name;
}

Ran With(Words words, const std::string& more) {
  words.push_back(more);
  return RunCtl(words);
}

TEST(HelpTest, EveryVerbSaysHowItIsCalled) {
  int count = 0;
  ForEachVerb([&](const CLI::App& verb, const Words& words) {
    ++count;
    const auto ran = With(words, "--help");
    EXPECT_EQ(ran.exit_code, 0) << Name(words);
    EXPECT_EQ(ran.err, "") << Name(words);
    EXPECT_TRUE(ran.out.starts_with("Usage: " + Name(words))) << ran.out;
    EXPECT_NE(ran.out.find(verb.get_description()), std::string::npos) << ran.out;
    for (const char* ugly : {"TEXT", "REQUIRED", "(1x)", "\033"}) {
      EXPECT_EQ(ran.out.find(ugly), std::string::npos) << ugly << " in\n" << ran.out;
    }
  });
  EXPECT_GT(count, 60);
}

TEST(HelpTest, EveryVerbRefusesAWrongOptionByName) {
  ForEachVerb([](const CLI::App&, const Words& words) {
    const auto ran = With(words, "--no-such-option");
    EXPECT_EQ(ran.exit_code, kExitUsage) << Name(words);
    EXPECT_EQ(ran.out, "") << Name(words);
    EXPECT_NE(ran.err.find(Name(words) + " has no option '--no-such-option'"),
              std::string::npos)
        << ran.err;
    EXPECT_NE(ran.err.find("Run '" + Name(words) + " --help'"), std::string::npos)
        << ran.err;
  });
}

TEST(HelpTest, EveryVerbNamesTheArgumentThatIsMissing) {
  ForEachVerb([](const CLI::App& verb, const Words& words) {
    for (const auto* option : verb.get_options()) {
      if (!option->get_positional() || !option->get_required()) continue;
      const auto ran = RunCtl(words);
      EXPECT_EQ(ran.exit_code, kExitUsage) << Name(words);
      EXPECT_NE(ran.err.find(Name(words) + " needs " + ArgumentName(*option)),
                std::string::npos)
          << ran.err;
      break;
    }
  });
}

TEST(HelpTest, VerbsThatReadTakeTheOptionsOfRun) {
  const Words all = {"--select",       "--exclude",          "--threads",      "--limit",
                     "--cursor-value", "--allow-duplicates", "--full-refresh", "--var"};
  for (const std::string verb : {"run", "plan", "extract", "submit"}) {
    const std::string help = RunCtl({verb, "--help"}).out;
    for (const auto& option : all) {
      EXPECT_NE(help.find(option), std::string::npos) << verb << " lacks " << option;
    }
    EXPECT_NE(help.find("STREAM"), std::string::npos)
        << verb << ": --full-refresh STREAM";
  }
}

TEST(HelpTest, HelpOfAVerbIsThatOfItsOption) {
  EXPECT_EQ(RunCtl({"help", "runs", "list"}).out, RunCtl({"runs", "list", "--help"}).out);
  EXPECT_EQ(RunCtl({"help"}).out, RunCtl({"--help"}).out);
  EXPECT_EQ(RunCtl({"help", "rnu"}).exit_code, kExitUsage);
  const auto codes = RunCtl({"help", "exit-codes"});
  EXPECT_NE(codes.out.find("\n8 "), std::string::npos) << codes.out;
}

}  // namespace
}  // namespace dxt::ctl

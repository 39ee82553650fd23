#include "server/scheduler/catalog.h"

#include <fstream>

#include "server/scheduler/test_daemon.h"

namespace dxt {
namespace {

using Texts = std::vector<std::string>;

class CatalogTest : public DaemonTest {
 protected:
  void SetUp() override {
    DaemonTest::SetUp();
    pipelines_ = folder_ / "pipelines";
    std::filesystem::create_directory(pipelines_);
  }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(pipelines_ / name, std::ios::trunc) << text;
  }
  static std::string Pipeline(const std::string& name, const std::string& more = "") {
    return "name: " + name +
           "\nsource: 'memory:src'\ntarget: 'memory:dst'\n"
           "streams: [{id: x, source: x, target: x}]\n" +
           more;
  }
  FolderChanges Load() {
    const auto changes = catalog_->LoadFolder(pipelines_);
    EXPECT_TRUE(changes.ok()) << changes.status();
    return changes.ok() ? *changes : FolderChanges();
  }
  arrow::Result<Applied<PipelineRecord>> Apply(const std::string& text) {
    return catalog_->ApplyPipeline("shop", {"/elsewhere/p.yaml", text}, Origin::kApi, {},
                                   false);
  }

  std::filesystem::path pipelines_;
};

TEST_F(CatalogTest, AnUnchangedDocumentMakesNoRevision) {
  const auto first = *Apply(Pipeline("a", "description: Orders\n"));
  EXPECT_TRUE(first.created && first.changed);
  EXPECT_EQ(first.record->description, "Orders");
  EXPECT_EQ(first.record->streams, 1);
  EXPECT_EQ(first.record->overlap, "queue");
  const auto again = *Apply(Pipeline("a", "description: Orders\n"));
  EXPECT_FALSE(again.created || again.changed);
  const auto changed = *Apply(Pipeline("a", "runtime: {overlap: skip}\n"));
  EXPECT_TRUE(changed.changed && !changed.created);
  EXPECT_EQ(changed.record->revision, first.record->revision + 1);
  EXPECT_EQ(changed.record->overlap, "skip");
}

TEST_F(CatalogTest, ARunKeepsTheRevisionItWasMadeOf) {
  StorePipeline("a");
  const int64_t revision =
      store_->definitions().GetPipeline("shop", "a")->value().revision;
  StorePipeline("a", "description: new\n");
  EXPECT_EQ(catalog_->Prepare("shop", "a", {}, {}, revision)->pipeline.description, "");
  EXPECT_EQ(catalog_->Prepare("shop", "a", {}, {})->pipeline.description, "new");
}

TEST_F(CatalogTest, WhatDoesNotParseIsNotStored) {
  const auto applied = *Apply(Pipeline("a", "streems: []\n"));
  EXPECT_FALSE(applied.record);
  ASSERT_FALSE(applied.problems.empty());
  EXPECT_EQ(applied.problems[0].code, "config.unknown_key");
  EXPECT_FALSE(store_->definitions().GetPipeline("shop", "a")->has_value());
}

TEST_F(CatalogTest, ValidateOnlyStoresNothing) {
  const auto checked = catalog_->ApplyPipeline("shop", {"", Pipeline("a")}, Origin::kApi,
                                               std::nullopt, /*validate_only=*/true);
  EXPECT_TRUE(checked->record);
  EXPECT_FALSE(store_->definitions().GetPipeline("shop", "a")->has_value());
}

TEST_F(CatalogTest, ALiteralSecretIsRefusedWithTheVariableToUse) {
  const auto applied = *catalog_->ApplyProject(
      "shop",
      {"",
       "name: shop\nconnections:\n  wh: {type: postgres, host: h, password: s3cret}\n"},
      Origin::kApi, {}, false);
  EXPECT_FALSE(applied.record);
  ASSERT_EQ(applied.problems.size(), 1u);
  EXPECT_EQ(applied.problems[0].code, "config.literal_secret");
  EXPECT_EQ(applied.problems[0].suggestion,
            "write ${WH_PASSWORD} and give dxtd its value: `variables:` or `secrets:` of "
            "its configuration, or DXT_VAR_WH_PASSWORD in its environment");
}

TEST_F(CatalogTest, VariablesComeFromTheDaemonAlone) {
  const char* environment[] = {"DXT_VAR_TOKEN=a=b", "HOME=/root", "DXT_VAR_=x",
                               "DXT_VAR_EMPTY=", nullptr};
  EXPECT_EQ(VariablesFromEnvironment(environment),
            (std::map<std::string, std::string>{{"TOKEN", "a=b"}, {"EMPTY", ""}}));
  const auto missing = *Apply(Pipeline("a", "description: ${HOME}\n"));
  EXPECT_FALSE(missing.record);
  ASSERT_EQ(missing.problems.size(), 1u);
  EXPECT_NE(missing.problems[0].suggestion.find("DXT_VAR_HOME"), std::string::npos);
  StorePipeline("a", "description: ${TOKEN}\n");
  EXPECT_EQ(catalog_->Prepare("shop", "a", {}, {})->redactor.Redact("hunter2"), "***");
  catalog_->SetVariables({});
  const auto gone = catalog_->Prepare("shop", "a", {}, {}).status();
  EXPECT_EQ(CodeOf(gone), "document.invalid");
  EXPECT_NE(gone.message().find("'TOKEN' is not set"), std::string::npos);
}

TEST_F(CatalogTest, AClientsRelativePathsAreRefused) {
  const auto applied = *Apply(
      "name: a\nsource: {type: sqlite, path: x.db}\ntarget: 'memory:d'\n"
      "streams: [{id: x, source: x, target: x}]\n");
  EXPECT_FALSE(applied.record);
  EXPECT_EQ(applied.problems[0].code, "config.relative_path");
}

TEST_F(CatalogTest, ADocumentGoesUnderItsOwnName) {
  EXPECT_EQ(
      CodeOf(
          catalog_->ApplyProject("shop", {"", "name: other\n"}, Origin::kApi, {}, false)
              .status()),
      "definition.name");
  EXPECT_EQ(
      CodeOf(catalog_->ApplyPipeline("none", {"", Pipeline("a")}, Origin::kApi, {}, false)
                 .status()),
      "project.not_found");
  EXPECT_TRUE(
      catalog_->ApplyPipeline("default", {"", Pipeline("a")}, Origin::kApi, {}, false)
          ->record);
  EXPECT_EQ(catalog_->Prepare("default", "a", {}, {})->pipeline.project.name, "default");
  EXPECT_EQ(CodeOf(catalog_->Prepare("shop", "zz", {}, {}).status()),
            "pipeline.not_found");
}

TEST_F(CatalogTest, AFolderIsLoadedAndReloaded) {
  Write("dxt_project.yaml", "name: fold\n");
  Write("a.yaml", Pipeline("a"));
  Write("b.yml", Pipeline("b"));
  Write("notes.txt", "no document");
  Write(".hidden.yaml", "no: document");
  auto changes = Load();
  EXPECT_EQ(changes.added, (Texts{"fold/a", "fold/b"}));
  EXPECT_TRUE(changes.refused.empty()) << changes.Summary();
  EXPECT_EQ(Load().unchanged, (Texts{"fold/a", "fold/b"}));

  Write("a.yaml", Pipeline("a", "description: new\n"));
  std::filesystem::remove(pipelines_ / "b.yml");
  Write("c.yaml", Pipeline("c"));
  changes = Load();
  EXPECT_EQ(changes.changed, Texts{"fold/a"});
  EXPECT_EQ(changes.added, Texts{"fold/c"});
  EXPECT_EQ(changes.removed, Texts{"fold/b"});
  EXPECT_EQ(changes.Summary(),
            "1 added (fold/c), 1 changed (fold/a), 1 removed (fold/b), 0 unchanged");
  EXPECT_FALSE(store_->definitions().GetPipeline("fold", "b")->has_value());
}

TEST_F(CatalogTest, AFileWithProblemsLeavesWhatIsStored) {
  Write("a.yaml", Pipeline("a"));
  Load();
  Write("a.yaml", "name: a\nsource: [\n");
  const auto changes = Load();
  ASSERT_EQ(changes.refused.size(), 1u);
  EXPECT_EQ(changes.refused[0].first, (pipelines_ / "a.yaml").string());
  EXPECT_TRUE(changes.removed.empty());
  EXPECT_TRUE(store_->definitions().GetPipeline("default", "a")->has_value());
  Write("dxt_project.yaml", "name: 5 5\n");
  EXPECT_EQ(Load().refused.size(), 2u);
  EXPECT_TRUE(store_->definitions().GetPipeline("default", "a")->has_value());
}

TEST_F(CatalogTest, TwoFilesOfOneNameAreRefusedAndAMissingFolderToo) {
  Write("a.yaml", Pipeline("same"));
  Write("b.yaml", Pipeline("same", "description: other\n"));
  for (int i = 0; i < 2; ++i) {
    const auto changes = Load();
    ASSERT_EQ(changes.refused.size(), 1u);
    EXPECT_EQ(changes.refused[0].first, (pipelines_ / "b.yaml").string());
  }
  EXPECT_EQ(CodeOf(catalog_->LoadFolder(folder_ / "nowhere").status()), "catalog.folder");
}

TEST_F(CatalogTest, ClientsCannotOverwriteWhatTheFolderDefines) {
  Write("dxt_project.yaml", "name: shop\n");
  Write("a.yaml", Pipeline("a"));
  Load();
  EXPECT_EQ(CodeOf(Apply(Pipeline("a", "description: mine\n")).status()),
            "definition.owned_by_folder");
  EXPECT_TRUE(Apply(Pipeline("b"))->record);
  EXPECT_EQ(CodeOf(catalog_
                       ->ApplyProject("shop", {"", "name: shop\nbuffer: {}\n"},
                                      Origin::kApi, {}, false)
                       .status()),
            "definition.owned_by_folder");
  // What clients stored stays when the folder is read again.
  EXPECT_TRUE(Load().removed.empty());
}

TEST_F(CatalogTest, APipelineThatASchedulesHoldsIsNotRemovedWithItsFile) {
  Write("a.yaml", Pipeline("a"));
  Load();
  ScheduleRecord schedule;
  schedule.project = "default";
  schedule.name = "nightly";
  schedule.pipeline = "a";
  schedule.cron = "@daily";
  ASSERT_TRUE(store_->schedules().Create(schedule).ok());
  std::filesystem::remove(pipelines_ / "a.yaml");
  const auto changes = Load();
  ASSERT_EQ(changes.refused.size(), 1u);
  EXPECT_EQ(changes.refused[0].first, "default/a");
  EXPECT_TRUE(store_->definitions().GetPipeline("default", "a")->has_value());
}

}  // namespace
}  // namespace dxt

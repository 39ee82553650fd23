#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include <arrow/api.h>

#include "base/error.h"
#include "connectors/file/file_fixture.h"

namespace dxt::file {
namespace {

/// A moto server of its own, on a port that it chooses and says.
class S3Test : public FileTest {
 protected:
  static void SetUpTestSuite() {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    server_ = fork();
    if (server_ == 0) {
      dup2(pipe_ends[1], STDOUT_FILENO);
      const int null = open("/dev/null", O_WRONLY);
      dup2(null, STDERR_FILENO);
      close(pipe_ends[0]);
      // Ends with its parent's pipe, so that a crash of the test leaves no server.
      constexpr char kProgram[] =
          "import sys, os, boto3\n"
          "from moto.server import ThreadedMotoServer\n"
          "server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False)\n"
          "server.start()\n"
          "host, port = server.get_host_and_port()\n"
          "client = boto3.client('s3', endpoint_url=f'http://127.0.0.1:{port}',\n"
          "                      region_name='us-east-1', aws_access_key_id='key',\n"
          "                      aws_secret_access_key='secret')\n"
          "client.create_bucket(Bucket='bucket')\n"
          "print(port, flush=True)\n"
          "import signal\n"
          "signal.pause()\n";
      execl(DXT_TEST_PYTHON, DXT_TEST_PYTHON, "-c", kProgram, nullptr);
      _exit(127);
    }
    close(pipe_ends[1]);
    std::string line;
    char c = 0;
    while (read(pipe_ends[0], &c, 1) == 1 && c != '\n') line += c;
    close(pipe_ends[0]);
    ASSERT_FALSE(line.empty()) << "the S3 test server did not start";
    port_ = line;
  }

  static void TearDownTestSuite() {
    if (server_ <= 0) return;
    kill(server_, SIGTERM);
    waitpid(server_, nullptr, 0);
  }

  void SetUp() override {
    FileTest::SetUp();
    // AWS's usual places must not leak into the test.
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    settings_ = Map({{"url", Scalar("s3://bucket/" + std::string(test->name()))},
                     {"endpoint", Scalar("127.0.0.1:" + port_)},
                     {"scheme", Scalar("http")},
                     {"region", Scalar("us-east-1")},
                     {"access_key_id", Scalar("key")},
                     {"secret_access_key", Scalar("s3cr3t/+&?")}});
  }

  Load NumberedLoad(const std::string& target, int64_t first, int64_t rows,
                    LoadMode mode = LoadMode::kAppend) const {
    const Sample sample = Numbered(first, rows);
    Load load;
    load.target = target;
    load.schema = sample.schema;
    load.batches = {sample.batch};
    load.mode = mode;
    return load;
  }

  inline static pid_t server_ = -1;
  inline static std::string port_;
};

TEST_F(S3Test, FilesGoThereAndBack) {
  for (const std::string target : {"a.parquet", "sub/a.csv.gz"}) {
    auto done = Run(NumberedLoad(target, 1, 2));
    ASSERT_TRUE(done.ok()) << done.status().ToString();
    done = Run(NumberedLoad(target, 3, 1));
    ASSERT_TRUE(done.ok()) << done.status().ToString();
    const Rows rows = Read(target);
    ASSERT_TRUE(rows.status.ok()) << rows.status.ToString();
    EXPECT_EQ(rows.lines, (std::vector<std::string>{"1|n1", "2|n2", "3|n3"}));
    EXPECT_EQ((*OpenDestination()->Describe(target, {})).ident, done->target_ident);
    ASSERT_TRUE(Run(NumberedLoad(target, 9, 1, LoadMode::kReplace)).ok());
    EXPECT_EQ(Read(target).lines, std::vector<std::string>{"9|n9"});
  }
}

TEST_F(S3Test, FoldersGainPartsAndAreReplaced) {
  ASSERT_TRUE(Run(NumberedLoad("orders/", 1, 2)).ok());
  auto second = NumberedLoad("orders/", 3, 1);
  second.cursor_after = "3";
  ASSERT_TRUE(Run(second).ok());
  EXPECT_EQ(Read("orders").lines.size(), 3u);
  EXPECT_EQ(Read("orders/*.parquet").lines.size(), 3u);
  auto destination = OpenDestination();
  EXPECT_EQ((*destination->Peek(Identity(second), {}))->cursor_after, "3");
  const auto replaced = Run(NumberedLoad("orders/", 7, 1, LoadMode::kReplace));
  ASSERT_TRUE(replaced.ok()) << replaced.status().ToString();
  EXPECT_EQ(Read("orders").lines, std::vector<std::string>{"7|n7"});
}

TEST_F(S3Test, MissingThingsAreNamed) {
  const Rows rows = Read("none.csv");
  EXPECT_EQ(GetErrorInfo(rows.status).code, "file.missing") << rows.status.ToString();
  settings_.map[0].second = Scalar("s3://no-such-bucket/x");
  const auto checked = OpenSource()->Check({});
  EXPECT_EQ(GetErrorInfo(checked).code, "file.missing") << checked.ToString();
  EXPECT_EQ(checked.message().find("s3cr3t"), std::string::npos);
}

TEST_F(S3Test, AServerThatIsNotThereIsSaidSoonWithWhatToCheck) {
  settings_.map[1].second = Scalar("127.0.0.1:1");
  const auto begun = std::chrono::steady_clock::now();
  const auto opened = connector_->OpenSource(Config(), context_, {});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  const ErrorInfo info = GetErrorInfo(opened.status());
  EXPECT_EQ(info.code, "file.unreachable") << opened.status().ToString();
  EXPECT_NE(info.hint.find("endpoint"), std::string::npos);
  // The library's own patience is about seven seconds for each question.
  EXPECT_LT(took.count(), 4.0);
}

}  // namespace
}  // namespace dxt::file

// The parts of lynceus-judge: the pace of requests, keys, addresses, the journal of replies.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "evaluate/judge/replies.h"
#include "io/files/file.h"
#include "judge/api_key.h"
#include "judge/reply_journal.h"
#include "judge/request_pace.h"
#include "judge/server_url.h"

namespace lynceus::judge {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

TEST(RequestPace, AtMostNRequestsInAnyMinute) {
  RequestPace pace(3);
  std::vector<double> sent;
  double now = 100;
  for (int i = 0; i < 12; ++i) {
    now += pace.wait(now);
    EXPECT_EQ(pace.wait(now), 0);
    pace.sent(now);
    sent.push_back(now);
    now += 7;
  }
  for (size_t i = 3; i < sent.size(); ++i) EXPECT_GE(sent[i] - sent[i - 3], 60);
  EXPECT_NEAR(sent[3], 160, 1e-9) << "not slower than that either";
  RequestPace free(0);
  for (int i = 0; i < 100; ++i) free.sent(1);
  EXPECT_EQ(free.wait(1), 0);
  free.hold_until(4);
  free.hold_until(3);
  EXPECT_EQ(free.wait(1), 3);
}

TEST(RequestPace, RetriesWaitLongerEachTime) {
  EXPECT_EQ(retry_wait(1, 1, 0.5, {}), 1);
  EXPECT_EQ(retry_wait(2, 1, 0.5, {}), 2);
  EXPECT_EQ(retry_wait(5, 1, 0, {}), 8);
  EXPECT_EQ(retry_wait(60, 1, 0.5, {}), 60);
  EXPECT_EQ(retry_wait(1, 1, 0.5, 20), 20) << "what the server asks for";
  EXPECT_EQ(retry_wait(3, 1, 0.5, 2), 4);
  EXPECT_EQ(retry_wait(1, 1, 0.5, 1e9), 600);
}

TEST(ApiKey, IsReadFromAFileOrAVariableAndNeverShown) {
  const fs::path file = fs::path(testing::TempDir()) / "key";
  const auto write = [&](const std::string& text) { std::ofstream(file) << text; };
  write("sk-0123456789\n");
  ::chmod(file.c_str(), 0600);
  ::setenv("TEST_KEY", "other-key-123", 1);
  EXPECT_EQ(ApiKey::read(file, "TEST_KEY").header(), "Authorization: Bearer sk-0123456789");
  EXPECT_EQ(ApiKey::read("", "TEST_KEY").header(), "Authorization: Bearer other-key-123");
  EXPECT_TRUE(ApiKey::read("", "TEST_KEY_ABSENT").empty());
  EXPECT_TRUE(ApiKey::read("", "").empty());
  EXPECT_EQ(ApiKey::read(file, "").cut_out_of("x sk-0123456789sk-0123456789 y sk-012345678"),
            "x [key][key] y sk-012345678");
  EXPECT_EQ(ApiKey().cut_out_of("text"), "text");
  for (const char* bad : {"sk-01", "sk-0123 456789", "sk-01234\n56789", "sk-0123456\"9"}) {
    write(bad);
    EXPECT_THAT(
        [&] { ApiKey::read(file, ""); },
        ThrowsMessage<InputError>(AllOf(HasSubstr(file.string()), Not(HasSubstr("sk-01")))));
  }
  EXPECT_THAT([&] { ApiKey::read(file.string() + "-absent", ""); },
              ThrowsMessage<InputError>(HasSubstr("expected a key")));
}

TEST(ServerUrl, IsThatOfChatCompletions) {
  EXPECT_EQ(completions_url("https://api.openai.com/v1"),
            "https://api.openai.com/v1/chat/completions");
  EXPECT_EQ(completions_url("http://[::1]:8000/v1/"), "http://[::1]:8000/v1/chat/completions");
  EXPECT_EQ(completions_url("http://h/v1/chat/completions"), "http://h/v1/chat/completions");
  for (const char* bad : {"", "ftp://h/v1", "file:///etc/passwd", "http://", "http:///v1",
                          "http://h/v1?key=1", "http://h /v1", "http://h/v1#a"})
    EXPECT_THROW(completions_url(bad), UsageError) << bad;
  EXPECT_THAT([] { completions_url("http://me:secret@h/v1"); },
              ThrowsMessage<UsageError>(Not(HasSubstr("secret"))));
  EXPECT_TRUE(sends_in_clear("http://node7:8000/v1"));
  EXPECT_TRUE(sends_in_clear("http://localhost.example/v1"));
  for (const char* good : {"https://node7/v1", "http://localhost:8000/v1", "http://127.0.0.1/v1",
                           "http://[::1]:8000/v1"})
    EXPECT_FALSE(sends_in_clear(good)) << good;
}

io::Json completion(const std::string& text) {
  return io::Json::parse(
      fmt::format(
          R"({{"model": "m", "choices": [{{"index": 0, "message": {{"content": "{}"}}}}]}})", text),
      "test");
}

TEST(ReplyJournal, KeepsRepliesAndLosesOnlyALineThatWasCutOff) {
  const fs::path file = fs::path(testing::TempDir()) / "replies.jsonl";
  const evaluate::JudgeModel model{"m", 4};
  const auto request = [&](int i) { return evaluate::make_request(fmt::format("q{}", i), model); };
  ::setenv("TEST_KEY", "secret-key-1", 1);
  const ApiKey key = ApiKey::read("", "TEST_KEY");
  {
    ReplyJournal journal(file);
    EXPECT_THAT([&] { ReplyJournal second(file); },
                ThrowsMessage<UsageError>(HasSubstr("another process writes")));
    for (int i = 0; i < 3; ++i)
      journal.add(request(i), "http://h", 200, completion("Yes, secret-key-1"), key);
    journal.add(request(3), "http://h", 400, completion("no"), key);
    journal.sync();
    EXPECT_TRUE(journal.has(request(2)));
    EXPECT_FALSE(journal.has(request(3))) << "an error is no reply";
  }
  const std::string text = io::read_text(file);
  EXPECT_THAT(text, Not(HasSubstr("secret-key-1")));
  EXPECT_EQ(evaluate::read_replies(file).by_id.size(), 4u);
  EXPECT_EQ(evaluate::read_replies(file).by_id.at(request(1).id).text, "Yes, [key]");

  // Cut at every place of the third line and the fourth.
  const size_t second = text.find('\n', text.find('\n') + 1) + 1;
  for (size_t end = second; end <= text.size(); end += text.size() - end > 12 ? 11 : 1) {
    std::ofstream(file, std::ios::binary) << text.substr(0, end);
    ReplyJournal journal(file);
    const bool has_third = end > text.find('\n', second);
    EXPECT_EQ(journal.has(request(2)), has_third) << end;
    EXPECT_TRUE(journal.has(request(1)));
    journal.add(request(9), "http://h", 200, completion("Yes"), key);
    journal.sync();
    EXPECT_EQ(evaluate::read_replies(file).by_id.at(request(9).id).text, "Yes");
  }

  std::ofstream(file, std::ios::app) << "nonsense\n{\"custom_id\": 1}\n";
  EXPECT_THAT(
      [&] { ReplyJournal journal(file); },
      ThrowsMessage<InputError>(AllOf(HasSubstr("replies.jsonl:6"), HasSubstr("replies.jsonl:7"))));
}

}  // namespace
}  // namespace lynceus::judge

// Questions to a judge, files of requests and of replies, and the verdicts that follow.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "core/error.h"
#include "core/log.h"
#include "evaluate/judge/judges.h"
#include "evaluate/judge/question.h"
#include "evaluate/judge/replies.h"
#include "evaluate/judge/requests.h"
#include "io/files/file.h"

namespace lynceus::evaluate {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(JudgeQuestion, IsThePapers) {
  EXPECT_EQ(judge_question("What is {it}?", "a \"cat\"", "cat"),
            "Given the question \"What is {it}?\", does the answer \"a \"cat\"\" imply the answer "
            "\"cat\"? Answer with Yes or No.");
}

TEST(JudgeQuestion, TheFirstWordOfTheReplyDecides) {
  for (const char* yes : {"Yes", "yes.", "YES!", " **Yes**, it does", "\"Yes\"", "Yes\nNo",
                          "<think>no no</think>\n\nYes", "1. Yes"})
    EXPECT_EQ(verdict_of_reply(yes), true) << yes;
  for (const char* no : {"No", "no, it does not; yes is wrong", "NO.", "<think>yes</think> No"})
    EXPECT_EQ(verdict_of_reply(no), false) << no;
  for (const char* none :
       {"", "...", "The answer is yes", "Not", "Yesterday", "No\xC3\xABl", "Know", "<think>yes"})
    EXPECT_EQ(verdict_of_reply(none), std::nullopt) << none;
}

TEST(JudgeRequests, EqualContentHasOneDigest) {
  const JudgeRequest one = make_request("q \xC3\xA4 \"", {"gpt-4", 16});
  EXPECT_EQ(one.digest, make_request("q \xC3\xA4 \"", {"gpt-4", 16}).digest);
  EXPECT_NE(one.digest, make_request("q \xC3\xA4 '", {"gpt-4", 16}).digest);
  EXPECT_NE(one.digest, make_request("q \xC3\xA4 \"", {"gpt-4o", 16}).digest);
  EXPECT_NE(one.digest, make_request("q \xC3\xA4 \"", {"gpt-4", 0}).digest);
  EXPECT_EQ(one.id, make_request("q \xC3\xA4 \"", {"gpt-4o", 0}).id) << "the question's";
  EXPECT_EQ(one.body,
            "{\"max_tokens\":16,\"messages\":[{\"content\":\"q \xC3\xA4 \\\"\",\"role\":\"user\"}],"
            "\"model\":\"gpt-4\",\"temperature\":0}");

  const fs::path file = fs::path(testing::TempDir()) / "requests.jsonl";
  const JudgeRequest other = make_request("other", {"gpt-4", 16});
  write_requests(file, std::vector<JudgeRequest>{one, other, one});
  const auto read = read_requests(file);
  ASSERT_EQ(read.size(), 2u) << "a request that occurs again is left out";
  EXPECT_EQ(read[0].id, one.id);
  EXPECT_EQ(read[0].digest, one.digest);
  EXPECT_EQ(read[0].body, one.body);
  std::ofstream(file) << R"({"custom_id": "a", "url": "/v1/embeddings", "body": {"model": "m"}})"
                      << "\n{\"custom_id\": \"b\"}\n";
  EXPECT_THAT([&] { read_requests(file); },
              ThrowsMessage<InputError>(
                  AllOf(HasSubstr("found '/v1/embeddings'"), HasSubstr("requests.jsonl:2"))));
}

std::vector<JudgedItem> items() {
  return {{"1", "what?", {"cat"}, "a cat"},
          {"2", "where?", {"home", "house"}, "at home"},
          {"3", "what?", {"cat"}, "a cat"},
          {"4", "who?", {"he"}, ""}};
}

/// A line of results. status 0: an error without a response.
std::string line(const std::string& question, const std::string& reply, int status = 200) {
  const std::string id = io::json_quoted(question_id(question));
  if (status == 0)
    return fmt::format(R"({{"custom_id": {}, "response": null, "error": {{"message": {}}}}})", id,
                       io::json_quoted(reply)) +
           "\n";
  const std::string body =
      status == 200
          ? fmt::format(
                R"({{"model": "gpt-x", "choices": [{{"index": 0, "message": {{"content": {}}}}}]}})",
                io::json_quoted(reply))
          : fmt::format(R"({{"error": {{"message": {}}}}})", io::json_quoted(reply));
  return fmt::format(
             R"({{"id": "b", "custom_id": {}, "response": {{"status_code": {}, "body": {}}}, "error": null}})",
             id, status, body) +
         "\n";
}

class JudgeResults : public testing::Test {
 protected:
  JudgeResults() { log::set_up(0, 1, "warn"); }

  const fs::path file_ = fs::path(testing::TempDir()) / "results.jsonl";
  const std::string cat_ = judge_question("what?", "a cat", "cat");
  const std::string home_ = judge_question("where?", "at home", "home");
  const std::string house_ = judge_question("where?", "at home", "house");
  const std::string he_ = judge_question("who?", "", "he");

  std::vector<Judgement> decide(const std::string& text) const {
    std::ofstream(file_) << text;
    return results_judge(file_).decide(items());
  }
  /// The verdicts, and the warnings that the logger prints.
  std::pair<std::vector<Judgement>, std::string> decide_with_warnings(
      const std::string& text) const {
    testing::internal::CaptureStderr();
    auto verdicts = decide(text);
    return {verdicts, testing::internal::GetCapturedStderr()};
  }
};

TEST_F(JudgeResults, OneImpliedReferenceIsEnough) {
  const std::string all =
      line(cat_, "Yes") + line(home_, "No") + line(house_, "Yes.") + line(he_, "No");
  EXPECT_THAT(decide(all), ElementsAre(true, true, true, false));
  EXPECT_EQ(results_judge(file_).name, "gpt-x");
  EXPECT_THAT(decide(line(he_, "No") + line(house_, "No") + line(home_, "No") + line(cat_, "No")),
              ElementsAre(false, false, false, false))
      << "in any order";
}

TEST_F(JudgeResults, WhatHasNoReplyHasNoVerdict) {
  const auto [verdicts, warnings] =
      decide_with_warnings(line(home_, "No") + line(house_, "I cannot say") + line(he_, "x", 429));
  EXPECT_THAT(verdicts, ElementsAre(std::nullopt, std::nullopt, std::nullopt, std::nullopt));
  EXPECT_THAT(warnings, AllOf(HasSubstr("no reply to 1 question\n"),
                              HasSubstr("an error instead of a reply to 1 question, first: status "
                                        "429: x"),
                              HasSubstr("found another in the replies to 1 question, first: I "
                                        "cannot say")));
  EXPECT_THAT(decide(line(home_, "Yes") + line(house_, "overloaded", 0)),
              ElementsAre(std::nullopt, true, std::nullopt, std::nullopt));
}

TEST_F(JudgeResults, OtherAndRepeatedResultsAreCounted) {
  const auto [verdicts, warnings] = decide_with_warnings(
      line("another", "Yes") + line(cat_, "failed", 500) + line(cat_, "Yes") + line(cat_, "yes") +
      line(he_, "No") + line(he_, "Yes") + line(home_, "Yes") + line(house_, "Yes"));
  EXPECT_THAT(verdicts, ElementsAre(true, true, true, false));
  EXPECT_THAT(warnings, AllOf(HasSubstr("1 result about other answers left out"),
                              HasSubstr("different verdicts on 1 question; the first one counts")));
  EXPECT_THAT([&] { decide(line("another", "Yes") + line("one more", "No")); },
              ThrowsMessage<InputError>(HasSubstr(
                  "expected replies to the questions about these answers, found 2 to others")));
}

TEST_F(JudgeResults, MalformedResultsAreListed) {
  const std::string good = line(cat_, "Yes");
  EXPECT_THAT(
      [&] {
        decide(good + "{\"custom_id\": \"x\"}\n" +
               "{\"custom_id\": \"y\", \"response\": "
               "{\"status_code\": 200, \"body\": {}}}\n" +
               good.substr(0, good.size() / 2));
      },
      ThrowsMessage<InputError>(AllOf(HasSubstr("results.jsonl:2"), HasSubstr("results.jsonl:3"),
                                      HasSubstr("results.jsonl:4"))));
  EXPECT_THAT([&] { results_judge("absent.jsonl"); },
              ThrowsMessage<InputError>(HasSubstr("absent.jsonl: expected results of a judge")));
}

TEST(JudgeBatch, WritesEachQuestionOnce) {
  const fs::path file = fs::path(testing::TempDir()) / "batch.jsonl";
  const Judge judge = batch_judge(file, {"gpt-4", 16});
  EXPECT_THAT(judge.decide(items()),
              ElementsAre(std::nullopt, std::nullopt, std::nullopt, std::nullopt));
  EXPECT_EQ(judge.name, "gpt-4");
  const auto requests = read_requests(file);
  ASSERT_EQ(requests.size(), 4u) << "two items ask the same, one asks twice";
  EXPECT_EQ(requests[0].id, question_id(judge_question("what?", "a cat", "cat")));
  EXPECT_THAT(io::read_text(file),
              HasSubstr(R"("method": "POST", "url": "/v1/chat/completions", "body": {)"));
}

}  // namespace
}  // namespace lynceus::evaluate

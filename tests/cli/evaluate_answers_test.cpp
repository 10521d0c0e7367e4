// `evaluate BENCHMARK --answers PATH` as a program: without MPI, one JSON object, a table, files of
// items, and one message for what it cannot use.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/files/json.h"
#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class EvaluateAnswers : public testing::Test {
 protected:
  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  void expect_refused(const Arguments& arguments, int code, const std::string& message) const {
    const Output output = run(Arguments{"evaluate"} + arguments);
    EXPECT_EQ(output.code, code) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.all();
    EXPECT_THAT(output.err, HasSubstr(message));
    EXPECT_EQ(output.out, "");
  }

  Folder folder_{"evaluate-answers"};
  fs::path captions_ = write("captions.jsonl", R"({"candidate": "a cat", "references": ["a cat"]}
{"candidate": "two dogs", "references": ["three dogs"]}
)");
};

/// With such a component Open MPI does not start.
const Launch kBrokenMpi = {.environment = {"OMPI_MCA_btl=absent", "OMPI_MCA_pml=absent"},
                           .timeout_seconds = 20};

TEST_F(EvaluateAnswers, NeedsNoMpi) {
  const Output output = run({"evaluate", "caption", "--answers", captions_}, kBrokenMpi);
  EXPECT_EQ(output.code, 0) << output.all();
  const io::Json json = io::Json::parse(output.out, "output");
  EXPECT_EQ(json.at("benchmark").string(), "caption");
  EXPECT_NEAR(json.at("bleu_1").number(), 0.75, 1e-6);
  EXPECT_NE(run({"evaluate", "--help"}, kBrokenMpi).code, 0);  // the environment is broken
}

TEST_F(EvaluateAnswers, PrintsOneObjectOrATableAndWritesItems) {
  const Output json = run({"evaluate", "caption", "--answers", captions_, "--format", "json",
                           "--items", folder_ / "items.jsonl"});
  EXPECT_EQ(json.code, 0) << json.all();
  EXPECT_EQ(json.err, "");
  EXPECT_EQ(std::count(json.out.begin(), json.out.end(), '\n'), 1);
  const std::vector<std::string> items = lines_of(folder_ / "items.jsonl");
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(member(items[0], "benchmark"), "\"caption\"");
  EXPECT_EQ(member(items[1], "answer"), "\"two dogs\"");
  const Output table = run({"evaluate", "caption", "--answers", captions_, "--format", "table"});
  EXPECT_EQ(table.code, 0) << table.all();
  EXPECT_THAT(
      table.out,
      AllOf(HasSubstr("BLEU-1"), HasSubstr("CIDEr"), HasSubstr("  decoding         unknown"),
            HasSubstr("  judge            none"), HasSubstr(captions_.string())));
  EXPECT_THAT(run({"evaluate", "mme", "--help"}).out,
              AllOf(HasSubstr("usage: lynceus evaluate BENCHMARK"), HasSubstr("--answers")));
}

TEST_F(EvaluateAnswers, RefusesWhatItCannotUse) {
  expect_refused({"captions", "--answers", captions_}, 2,
                 "evaluate: expected a benchmark first (heldout, caption, mme, options, openvqa, "
                 "owleval, vqa), found 'captions', did you mean caption?");
  expect_refused({"--answers", captions_}, 2, "expected a benchmark first");
  expect_refused({"mme"}, 2, "evaluate mme: expected --answers PATH, found none");
  expect_refused({"mme", "--answers", folder_ / "absent"}, 3, "absent: expected a folder");
  expect_refused({"mme", "--answers", captions_}, 3, "the key 'category' is missing");
  expect_refused({"caption", "--answers", captions_, captions_}, 2,
                 "evaluate caption: expected one path of answers, found 2");
  expect_refused({"caption", "--answers", captions_, "--partial"}, 2,
                 "evaluate caption: --partial is an option of mme only");
  expect_refused({"caption", "--answer", captions_}, 2, "the nearest known one is 'answers'");
  expect_refused({"caption", "--answers", folder_ / "absent.jsonl"}, 4, "absent.jsonl");
  expect_refused({"vqa", "--answers", captions_}, 3, "the key 'question_id' is missing");
  expect_refused({"owleval", "--answers", captions_, "--sheet", "s.html"}, 2,
                 "expected --sheet FILE and --images FOLDER together");
  const Output several = run({"evaluate", "caption", "--answers", captions_},
                             {.environment = {"OMPI_COMM_WORLD_SIZE=2"}});
  EXPECT_EQ(several.code, 2) << several.all();
  EXPECT_THAT(several.err, HasSubstr("expected one process, found several tasks of a launcher"));
}

TEST_F(EvaluateAnswers, ReportsAFullDisk) {
  const Output output =
      run({"evaluate", "caption", "--answers", captions_}, {.shell = "exec \"$@\" >/dev/full"});
  EXPECT_EQ(output.code, 4) << output.all();
  EXPECT_THAT(output.err, HasSubstr("standard output"));
}

TEST_F(EvaluateAnswers, HeldoutIsTheFormWithoutABenchmark) {
  expect_refused({"heldout", "--run", folder_ / "absent"}, 2, "absent/config.ini");
}

}  // namespace
}  // namespace lynceus::cli_test

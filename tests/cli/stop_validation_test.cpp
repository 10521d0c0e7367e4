// A validation that a stop or a kill has ended: what is saved before it, and that the next start
// makes up for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class StopValidation : public testing::Test {
 protected:
  Output train(const std::string& fault = "", const Arguments& more = {}) const {
    return run(arguments_ + more,
               {.environment = fault.empty() ? Arguments{} : Arguments{"LYNCEUS_FAULT=" + fault}});
  }
  std::vector<std::string> validated_steps() const {
    std::vector<std::string> steps;
    for (const std::string& line : metrics_of(run_).validations)
      steps.push_back(member(line, "step"));
    return steps;
  }

  const Folder folder_{"stop-validation"};
  const fs::path run_ = folder_ / "run";
  const Arguments arguments_ =
      train_arguments(run_) +
      Arguments{"--train.steps",          "3",
                "--train.validate_every", "2",
                "--data.validation",      "held:" + shard("validation-Color")};
};

TEST_F(StopValidation, OfTheLastStepIsMadeUpForOnce) {
  const Output stopped = train("validation.batch#3=term");  // two batches a validation
  EXPECT_EQ(stopped.code, 75) << stopped.all();
  EXPECT_THAT(stopped.err, HasSubstr("the validation of step 3 was left: the next start repeats"));
  EXPECT_THAT(validated_steps(), ElementsAre("2"));
  const Output again = train();
  EXPECT_EQ(again.code, 0) << again.all();
  EXPECT_THAT(validated_steps(), ElementsAre("2", "3"));
  EXPECT_EQ(train().code, 0);
  EXPECT_THAT(validated_steps(), ElementsAre("2", "3")) << "complete";
}

TEST_F(StopValidation, WithinTheRunIsMadeUpForBeforeTheNextStep) {
  EXPECT_EQ(train("validation.batch#2=term").code, 75);
  EXPECT_THAT(validated_steps(), ElementsAre());
  EXPECT_EQ(train("validation.batch#1=term").code, 75) << "stopped again";
  EXPECT_EQ(metrics_of(run_).steps.size(), 2u);
  EXPECT_EQ(train().code, 0);
  EXPECT_THAT(validated_steps(), ElementsAre("2", "3"));
  EXPECT_EQ(metrics_of(run_).steps.size(), 3u);
}

TEST_F(StopValidation, ADueSaveComesFirst) {
  const Arguments waits = {"--checkpoint.staging_mib", "0"};  // else the save may still run
  EXPECT_NE(train("validation.batch#1=kill", waits + Arguments{"--checkpoint.every", "2"}).code, 0);
  EXPECT_TRUE(fs::exists(checkpoint(run_, 2) / io::kManifestName));
  EXPECT_NE(train("validation.batch#4=kill", waits).code, 0);
  EXPECT_TRUE(fs::exists(checkpoint(run_, 3) / io::kManifestName)) << "the last step";
  EXPECT_EQ(train().code, 0);
  EXPECT_THAT(validated_steps(), ElementsAre("2", "3"));
}

TEST_F(StopValidation, IsNotRepeatedWhereItIsThere) {
  EXPECT_EQ(train("", {"--stop-after", "2"}).code, 0);
  EXPECT_THAT(validated_steps(), ElementsAre("2"));
  EXPECT_EQ(train().code, 0);
  EXPECT_THAT(validated_steps(), ElementsAre("2", "3"));
}

TEST_F(StopValidation, HasSmallBatches) {
  // 24 samples in batches of 8, though a step has 24.
  const Output output = train(
      "validation.batch#3=term",
      {"--train.global_batch_size", "24", "--data.validation", "more:" + shard("train-Color")});
  EXPECT_EQ(output.code, 75) << output.all();
  EXPECT_THAT(output.err, HasSubstr("the validation of step 2 was left"));
}

}  // namespace
}  // namespace lynceus::cli_test

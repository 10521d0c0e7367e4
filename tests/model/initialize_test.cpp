// Random values: the same on any number of threads, and only where they are wanted.
#include <gtest/gtest.h>
#include <omp.h>

#include <map>

#include "model/lynx.h"

namespace lynceus::model {
namespace {

using Values = std::map<std::string, std::vector<float>>;

class Initialize : public testing::Test {
 protected:
  Initialize() {
    config_.vision.image_size = 28;
    config_.vision.hidden_size = config_.vision.intermediate_size = 32;
    config_.vision.num_layers = 1;
    config_.vision.num_heads = 2;
    config_.llm.vocab_size = 700;
    config_.llm.hidden_size = config_.llm.intermediate_size = 48;
    config_.llm.num_layers = 1;
    config_.llm.num_heads = 4;
  }

  Values values(int threads, const ParameterFilter& filter = {}) {
    LynxModel model = make_lynx(rt_, config_, partition_model(config_, 1, ""), 0);
    omp_set_num_threads(threads);
    initialize(rt_, &model, 11, filter);
    Values values;
    model.visit_parameters(
        [&](Parameter& parameter) { values[parameter.name] = parameter.value.to_vector<float>(); });
    return values;
  }

  const Runtime rt_{Stream(), parallel::make_grid({}, parallel::make_self_communicator())};
  ModelConfig config_;
};

TEST_F(Initialize, IsTheSameOnAnyNumberOfThreads) {
  const Values one = values(1);
  ASSERT_EQ(one.at("LLM.model.embed_tokens.weight").size(), 700u * 48u);
  EXPECT_NE(one.at("LLM.model.embed_tokens.weight")[5], one.at("LLM.lm_head.weight")[5]);
  EXPECT_EQ(values(3), one);
}

TEST_F(Initialize, LeavesWhatIsNotSelected) {
  const Values all = values(1);
  const Values some =
      values(1, [](const Parameter& parameter) { return parameter.module != Module::kLlm; });
  ASSERT_EQ(some.size(), all.size());
  for (const auto& [name, found] : some) {
    const bool left_out = module_of(name) == Module::kLlm;
    EXPECT_EQ(found, left_out ? std::vector<float>(found.size()) : all.at(name)) << name;
  }
}

}  // namespace
}  // namespace lynceus::model

// A request to stop leaves the long parts of loading, and without one they are done.
#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"
#include "core/process/stop_request.h"
#include "io/files/json.h"
#include "io/weights/shared_digest.h"
#include "io/weights/weight_files.h"
#include "model/load_weights.h"
#include "model/lynx.h"

namespace lynceus::model {
namespace {

namespace fs = std::filesystem;

const fs::path kFile =
    fs::path(LYNCEUS_SOURCE_DIR) / "tests/golden/res_interp" / "weights.safetensors";

class LeaveLoading : public testing::Test {
 protected:
  LeaveLoading() {
    const io::Json vit = io::Json::read(kFile.parent_path() / "config.json").at("vit");
    config_.vision.patch_size = vit.at("patch_size").integer(1);
    config_.vision.hidden_size = vit.at("embed_dim").integer(1);
    config_.vision.num_layers = vit.at("depth").integer(0);
    config_.vision.num_heads = vit.at("num_heads").integer(1);
    config_.vision.intermediate_size = vit.at("mlp_hidden").integer(1);
    config_.vision.image_size = 4 * config_.vision.patch_size;
    config_.llm.vocab_size = 8;
    config_.llm.hidden_size = config_.llm.intermediate_size = 8;
    config_.llm.num_layers = config_.llm.num_heads = 1;
    model_ = make_lynx(rt_, config_, partition_model(config_, 1, ""), 0);
  }
  ~LeaveLoading() override { set_stop_requested(false); }

  /// `work` ends with kRequeue if a stop is requested, and is done if none is.
  static void expect_to_leave(const std::function<void()>& work) {
    EXPECT_NO_THROW(work());
    set_stop_requested(true);
    try {
      work();
      ADD_FAILURE() << "the request was not seen";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kRequeue) << error.what();
    }
  }

  const Runtime rt_{Stream(), parallel::make_grid({}, parallel::make_self_communicator())};
  ModelConfig config_;
  LynxModel model_;
  const io::WeightSourcePtr source_ = io::open_weights(kFile);
};

TEST_F(LeaveLoading, RandomValues) {
  expect_to_leave([&] { initialize(rt_, &model_, 1); });
}

TEST_F(LeaveLoading, Weights) {
  expect_to_leave([&] { load_weights(rt_, &model_, *source_, of_module(Module::kVision)); });
}

TEST_F(LeaveLoading, Comparison) {
  expect_to_leave([&] { differing_tensors(rt_, &model_, *source_, of_module(Module::kVision)); });
}

TEST_F(LeaveLoading, Digest) {
  expect_to_leave([&] { io::digest_files(source_->files(), *rt_.grid.world); });
}

}  // namespace
}  // namespace lynceus::model

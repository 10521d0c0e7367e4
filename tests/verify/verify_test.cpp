// verify passes an unchanged case and fails on one changed number in the weights or in the expected
// results; an inconsistent case is refused by name.
#include "verify/verify.h"

#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <set>

#include "core/error.h"
#include "io/files/file.h"
#include "io/weights/safetensors.h"
#include "io/weights/safetensors_writer.h"

namespace lynceus::verify {
namespace {

namespace fs = std::filesystem;

class VerifyTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    directory_ = fs::path(testing::TempDir()) / test->name();
    fs::copy(fs::path(LYNCEUS_SOURCE_DIR) / "tests/golden/smoothing", directory_,
             fs::copy_options::recursive);
  }

  /// Rewrites a file of the case; bf16 becomes f32, which changes no value.
  void rewrite(const std::string& file,
               const std::function<void(std::vector<io::NamedTensor>*)>& edit) {
    const fs::path path = directory_ / file;
    std::vector<io::NamedTensor> tensors;
    {
      const io::SafetensorsFile original(path);
      for (const auto& entry : original.entries()) {
        Tensor tensor = original.read(rt_.stream, entry.name);
        if (tensor.dtype() == DType::kBf16) {
          tensor = Tensor::empty(rt_.stream, entry.shape);
          original.read(entry.name, {}, tensor);
        }
        tensors.push_back({entry.name, tensor});
      }
    }
    edit(&tensors);
    fs::remove(path);
    io::write_safetensors(path, tensors);
  }

  /// Adds `by` to one element of a tensor.
  void change(const std::string& file, const std::string& name, int64_t element, double by) {
    rewrite(file, [&](std::vector<io::NamedTensor>* tensors) {
      for (const io::NamedTensor& named : *tensors) {
        if (named.name != name) continue;
        if (named.tensor.dtype() == DType::kF64)
          named.tensor.data<double>()[element] += by;
        else
          named.tensor.data<float>()[element] += static_cast<float>(by);
      }
    });
  }

  /// Removes the last `rows` rows of a tensor.
  void shorten(const std::string& file, const std::string& name, int64_t rows) {
    rewrite(file, [&](std::vector<io::NamedTensor>* tensors) {
      for (io::NamedTensor& named : *tensors)
        if (named.name == name) named.tensor = named.tensor.slice(0, named.tensor.dim(0) - rows);
    });
  }

  void erase(const std::string& file, const std::string& prefix) {
    rewrite(file, [&](std::vector<io::NamedTensor>* tensors) {
      std::erase_if(*tensors, [&](const io::NamedTensor& t) { return t.name.starts_with(prefix); });
    });
  }

  /// Replaces the first `from` after `mark` in a text file.
  void replace(const std::string& file, const std::string& mark, const std::string& from,
               const std::string& to) {
    std::string text = io::read_text(directory_ / file);
    const size_t at = text.find(from, text.find(mark));
    ASSERT_NE(at, std::string::npos);
    io::atomic_write_text(directory_ / file, text.replace(at, from.size(), to));
  }

  void expect_refused(const std::string& what) {
    EXPECT_THAT([&] { findings(); },
                testing::ThrowsMessage<Error>(testing::AllOf(
                    testing::HasSubstr(what), testing::HasSubstr(directory_.string()))));
    try {
      findings();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInput);
    }
  }

  std::vector<Finding> findings() { return verify_case(rt_, directory_, {}, Tolerances{}); }

  std::vector<Finding> bf16_findings() {
    const Runtime rt{Stream(), parallel::make_grid({}, parallel::make_self_communicator()),
                     DType::kBf16};
    return verify_case(rt, directory_, {}, tolerances_of(DType::kBf16));
  }

  std::set<std::string> failures() { return failures(findings()); }
  static std::set<std::string> failures(const std::vector<Finding>& findings) {
    std::set<std::string> failed;
    for (const Finding& finding : findings)
      if (!finding.passed()) failed.insert(finding.what.substr(0, finding.what.find(' ')));
    return failed;
  }

  const Runtime rt_{Stream(), parallel::make_grid({}, parallel::make_self_communicator())};
  fs::path directory_;
};

TEST_F(VerifyTest, PassesTheUnchangedCase) {
  const auto all = findings();
  EXPECT_GE(all.size(), 6U);
  for (const Finding& finding : all)
    EXPECT_TRUE(finding.passed()) << finding.what << ": " << finding.error;
}

TEST_F(VerifyTest, FailsOnOneChangedWeight) {
  change("weights.safetensors", "LLM.model.layers.1.self_attn.v_proj.weight", 77, 0.05);
  EXPECT_THAT(failures(), testing::IsSupersetOf({"logits", "gradients"}));
}

TEST_F(VerifyTest, FailsOnOneChangedExpectedGradient) {
  change("expected.safetensors", "grad.bridge.latents", 5, 0.01);
  const auto all = findings();
  EXPECT_EQ(failures(), std::set<std::string>{"gradients"});
  for (const Finding& finding : all)
    EXPECT_TRUE(finding.passed() || finding.worst == "bridge.latents") << finding.worst;
}

TEST_F(VerifyTest, FailsOnAChangedExpectedLossAndLogit) {
  change("expected.safetensors", "loss", 0, 1e-4);
  change("expected.safetensors", "logits", 3, 1e-3);
  EXPECT_EQ(failures(), (std::set<std::string>{"loss", "logits"}));
}

TEST_F(VerifyTest, FailsOnOneFinalParameterThatIsNoNumber) {
  change("final.safetensors", "bridge.latents", 0, NAN);
  EXPECT_EQ(failures(), std::set<std::string>{"final"});
}

TEST_F(VerifyTest, JudgesOnlyLossesAndGradientsInBf16) {
  std::vector<std::string> what;
  const auto all = bf16_findings();
  for (const Finding& finding : all) what.push_back(finding.what);
  EXPECT_THAT(what, testing::ElementsAre("loss (relative)", "gradients together",
                                         "gradients, each (28 of 28 tensors)",
                                         "loss, label smoothing 0.1 (relative)",
                                         "trajectory losses", "gradient norms"));
  EXPECT_EQ(failures(all), std::set<std::string>{});
  change("expected.safetensors", "loss", 0, 0.1);
  EXPECT_EQ(failures(bf16_findings()), std::set<std::string>{"loss"});
}

TEST_F(VerifyTest, BoundsABf16GradientByWhatTorchErrs) {
  const std::string bias = "LLM.model.layers.0.output_adapter.adapter_norm_before.bias";
  change("expected.safetensors", "grad." + bias, 0, 0.02);
  const auto all = bf16_findings();
  EXPECT_EQ(failures(all), std::set<std::string>{"gradients,"});
  EXPECT_EQ(all.at(2).worst, bias);
  replace("bf16_errors.json", bias, ": ", ": 9");
  EXPECT_EQ(failures(bf16_findings()), std::set<std::string>{});
}

TEST_F(VerifyTest, JudgesNoSingleValueInBf16WhereTorchsErrorIsUnknown) {
  fs::remove(directory_ / "bf16_errors.json");
  change("expected.safetensors", "grad.LLM.model.layers.0.output_adapter.scaling", 0, 0.02);
  const auto all = bf16_findings();
  EXPECT_EQ(all.at(2).what, "gradients, each (26 of 28 tensors)");
  EXPECT_EQ(all.at(2).tolerance, 4e-2);
  EXPECT_EQ(failures(all), std::set<std::string>{});
}

TEST_F(VerifyTest, NamesAGradientThatIsNotTrained) {
  rewrite("expected.safetensors", [&](std::vector<io::NamedTensor>* tensors) {
    tensors->push_back({"grad.LLM.model.norm.weight", Tensor::zeros(rt_.stream, {32})});
  });
  for (const Finding& finding : findings())
    EXPECT_TRUE(finding.passed() || finding.worst == "LLM.model.norm.weight is not trained here");
  EXPECT_EQ(failures(), std::set<std::string>{"gradients"});
}

TEST_F(VerifyTest, NamesAFinalParameterThatIsNotTrained) {
  rewrite("final.safetensors", [&](std::vector<io::NamedTensor>* tensors) {
    tensors->push_back({"LLM.model.norm.weight", Tensor::zeros(rt_.stream, {32})});
  });
  for (const Finding& finding : findings())
    EXPECT_TRUE(finding.passed() || finding.worst == "LLM.model.norm.weight is not trained here");
  EXPECT_EQ(failures(), std::set<std::string>{"final"});
}

TEST_F(VerifyTest, ComparesFinalParametersThatAreNotStoredByTheirSums) {
  const std::string name = "bridge.layers.0.0.to_kv.weight";
  erase("final.safetensors", name);
  bool compared = false;
  for (const Finding& finding : findings()) {
    EXPECT_TRUE(finding.passed()) << finding.what << ": " << finding.error;
    compared |= finding.what == "final parameters, sums of 1 more" && finding.worst == name;
  }
  EXPECT_TRUE(compared);
  for (const char* number : {"sum", "l2", "cosdot"}) {
    const std::string text = io::read_text(directory_ / "stats.json");
    const size_t final = text.find("\"" + name + "\"", text.find("\"final\""));
    ASSERT_NE(final, std::string::npos);
    const std::string key = fmt::format("\"{}\": ", number);
    io::atomic_write_text(
        directory_ / "stats.json",
        std::string(text).replace(text.find(key, final), key.size(), key + "7, \"was\": "));
    EXPECT_EQ(failures(), std::set<std::string>{"final"}) << number;
    io::atomic_write_text(directory_ / "stats.json", text);
  }
}

TEST_F(VerifyTest, RefusesACaseWithNothingToCompare) {
  erase("expected.safetensors", "grad.");
  expect_refused("expected grad.NAME of every trained parameter, found none");
  fs::remove(directory_ / "expected.safetensors");
  expect_refused("expected.safetensors: expected loss and gradients, found no file");
  fs::remove(directory_ / "trajectory.json");
  expect_refused("expected.safetensors: expected loss and gradients, found no file");
}

TEST_F(VerifyTest, RefusesFilesThatDoNotFitEachOther) {
  shorten("expected.safetensors", "logits", 1);
  shorten("expected.safetensors", "grad.bridge.latents", 1);
  shorten("final.safetensors", "bridge.latents", 1);
  replace("trajectory.json", "grad_norms_before_clip", "[", "[3.5,");
  expect_refused("logits has shape [2, ");
  expect_refused("grad.bridge.latents has shape [");
  expect_refused("final.safetensors: bridge.latents has shape [");
  expect_refused("expected as many losses as grad_norms_before_clip, at least one, found 10");
}

TEST_F(VerifyTest, RefusesInputsOfUnequalShape) {
  for (const char* name : {"input_ids", "attention_mask", "labels", "pixels"}) {
    SCOPED_TRACE(name);
    fs::copy_file(fs::path(LYNCEUS_SOURCE_DIR) / "tests/golden/smoothing/inputs.safetensors",
                  directory_ / "inputs.safetensors", fs::copy_options::overwrite_existing);
    shorten("inputs.safetensors", name, 1);
    expect_refused("expected [");
  }
}

TEST_F(VerifyTest, RefusesATokenThatTheVocabularyLacks) {
  rewrite("inputs.safetensors", [](std::vector<io::NamedTensor>* tensors) {
    for (const io::NamedTensor& named : *tensors)
      if (named.name != "pixels" && named.name != "attention_mask")
        std::fill_n(named.tensor.data<int64_t>(), 4, 100'000);
  });
  expect_refused("is 100000, expected 0 to ");
}

TEST_F(VerifyTest, ListsEveryMissingWeight) {
  rewrite("weights.safetensors", [](std::vector<io::NamedTensor>* tensors) {
    std::erase_if(*tensors, [](const io::NamedTensor& named) {
      return named.name == "bridge.norm.bias" || named.name == "LLM.model.norm.weight";
    });
  });
  EXPECT_THAT([&] { findings(); }, testing::ThrowsMessage<Error>(
                                       testing::AllOf(testing::HasSubstr("bridge.norm.bias"),
                                                      testing::HasSubstr("LLM.model.norm.weight"),
                                                      testing::HasSubstr("weights.safetensors"))));
}

TEST_F(VerifyTest, ChangesNothingByRewritingFiles) {
  for (const char* file : {"weights.safetensors", "expected.safetensors", "final.safetensors"})
    rewrite(file, [](std::vector<io::NamedTensor>*) {});
  EXPECT_EQ(failures(), std::set<std::string>{});
}

}  // namespace
}  // namespace lynceus::verify

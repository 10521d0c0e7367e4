// AdamW against torch.optim.AdamW in float64 (tests/oracle/make_adamw.py) and the scalar reference.
#include "kernels/adamw.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "kernel_test.h"
#include "kernels/reference/adamw.h"

namespace lynceus::kernels {
namespace {

nlohmann::json fixture() {
  std::ifstream file(test_data("adamw_torch.json"));
  return nlohmann::json::parse(file).at("cases");
}

AdamWStep step_of(const nlohmann::json& one, int64_t step) {
  AdamWStep result;
  result.lr = one.at("lr").at(static_cast<size_t>(step - 1)).get<double>();
  result.beta1 = one.at("beta1").get<double>();
  result.beta2 = one.at("beta2").get<double>();
  result.eps = one.at("eps").get<double>();
  result.weight_decay = one.at("weight_decay").get<double>();
  result.step = step;
  return result;
}

double norm(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

/// ‖actual − expected‖ / ‖expected‖.
double relative_error(const std::vector<float>& actual, const std::vector<double>& expected) {
  std::vector<double> difference = expected;
  for (size_t i = 0; i < actual.size(); ++i) difference[i] -= static_cast<double>(actual[i]);
  return norm(difference) / norm(expected);
}

void update(const Stream& stream, const AdamWStep& step, const Tensor& grad, const Tensor& value,
            const Tensor& m, const Tensor& v, const Tensor& rounded = {}) {
  const AdamWUpdate one{step, grad, value, m, v, rounded};
  adamw(stream, {&one, 1});
}

TEST(AdamW, TenStepsEqualTorch) {
  const Stream stream = test_stream();
  for (const auto& one : fixture()) {
    SCOPED_TRACE(one.at("name").get<std::string>());
    const auto start = one.at("start").get<std::vector<float>>();
    const auto n = static_cast<int64_t>(start.size());
    const Tensor value = Tensor::from(stream, {n}, start);
    const Tensor m = Tensor::zeros(stream, {n});
    const Tensor v = Tensor::zeros(stream, {n});
    for (int64_t step = 1; step <= 10; ++step) {
      const auto index = static_cast<size_t>(step - 1);
      auto grad = one.at("grads").at(index).get<std::vector<float>>();
      AdamWStep parameters = step_of(one, step);
      if (step % 2 == 0) {  // the same gradient, scaled by a power of two and back
        for (float& g : grad) g *= 1024.0f;
        parameters.grad_scale = 1.0 / 1024;
      }
      update(stream, parameters, Tensor::from(stream, {n}, grad), value, m, v);
      const auto expected = one.at("values").at(index).get<std::vector<double>>();
      const auto found = value.to_vector<float>();
      for (size_t i = 0; i < expected.size(); ++i)
        ASSERT_NEAR(found[i], expected[i], 1e-6 * std::abs(expected[i]))
            << "step " << step << ", element " << i;
    }
    EXPECT_LT(relative_error(m.to_vector<float>(), one.at("m").get<std::vector<double>>()), 5e-7);
    EXPECT_LT(relative_error(v.to_vector<float>(), one.at("v").get<std::vector<double>>()), 5e-7);
  }
}

// The reference must itself be torch's optimizer, to f64 rounding.
TEST(AdamW, ReferenceEqualsTorch) {
  for (const auto& one : fixture()) {
    auto value = one.at("start").get<std::vector<double>>();
    std::vector<double> m(value.size());
    std::vector<double> v(value.size());
    for (size_t step = 1; step <= 10; ++step) {
      const auto grad = one.at("grads").at(step - 1).get<std::vector<double>>();
      const auto expected = one.at("values").at(step - 1).get<std::vector<double>>();
      for (size_t i = 0; i < value.size(); ++i) {
        reference::adamw(step_of(one, static_cast<int64_t>(step)), grad[i], value[i], m[i], v[i]);
        ASSERT_NEAR(value[i], expected[i], 1e-13 * std::abs(expected[i]));
      }
    }
  }
}

// Cases that f32 scalars would get wrong: a decay of 5e-6 per step, and a second moment that
// converges to g².
TEST(AdamW, ThousandsOfSmallStepsDoNotDrift) {
  const Stream stream = test_stream();
  AdamWStep step;
  step.lr = 1e-4;
  step.weight_decay = 0.05;
  const Tensor grad = Tensor::from(stream, {1}, std::vector<float>{1e-3f});
  const Tensor value = Tensor::from(stream, {1}, std::vector<float>{1.0f});
  const Tensor m = Tensor::zeros(stream, {1});
  const Tensor v = Tensor::zeros(stream, {1});
  double expected_value = 1;
  double expected_m = 0;
  double expected_v = 0;
  for (step.step = 1; step.step <= 5000; ++step.step) {
    update(stream, step, grad, value, m, v);
    reference::adamw(step, static_cast<double>(1e-3f), expected_value, expected_m, expected_v);
  }
  EXPECT_NEAR(value.to_vector<float>()[0], expected_value, 1e-5);
  EXPECT_NEAR(v.to_vector<float>()[0], expected_v, 2e-6 * expected_v);
}

TEST(AdamW, AnySizeAndThreadsBitEqual) {
  const Stream stream = test_stream();
  for (const int64_t n : {0, 1, 9, 40001}) {
    const Tensor grad = Tensor::from(stream, {n}, random_floats(n, "grad"));
    const auto [one, two] = with_one_and_two_threads([&] {
      AdamWStep step;
      step.lr = 1e-2;
      const Tensor value = Tensor::from(stream, {n}, random_floats(n, "value"));
      const Tensor m = Tensor::from(stream, {n}, random_floats(n, "m"));
      const Tensor v = Tensor::from(stream, {n}, random_floats(n, "v", 0, 2));
      step.step = 3;
      update(stream, step, grad, value, m, v);
      return value.to_vector<float>();
    });
    EXPECT_EQ(one, two);
    auto values = widen<double>(random_floats(n, "value"));
    auto m = widen<double>(random_floats(n, "m"));
    auto v = widen<double>(random_floats(n, "v", 0, 2));
    const auto gradients = grad.to_vector<float>();
    AdamWStep step;
    step.lr = 1e-2;
    step.step = 3;
    for (int64_t i = 0; i < n; ++i)
      reference::adamw(step, static_cast<double>(gradients[i]), values[i], m[i], v[i]);
    expect_close(one, values, 1e-6, "value");
  }
}

TEST(AdamW, TheRoundedCopyIsTheNewValue) {
  const Stream stream = test_stream();
  for (const int64_t n : {1, 1024, 1027}) {
    const Tensor value = Tensor::from(stream, {n}, random_floats(n, "value"));
    const Tensor m = Tensor::zeros(stream, {n}), v = Tensor::zeros(stream, {n});
    const Tensor rounded = Tensor::zeros(stream, {n}, DType::kBf16);
    AdamWStep step;
    step.lr = 1e-2;
    update(stream, step, Tensor::from(stream, {n}, random_floats(n, "grad")), value, m, v, rounded);
    EXPECT_EQ(to_floats(rounded), as_stored(value.to_vector<float>(), DType::kBf16));
  }
}

// More tensors than one launch takes, empty and misaligned ones among them, each at its own step.
TEST(AdamW, AListIsItsTensorsOneByOne) {
  const Stream stream = test_stream();
  std::vector<AdamWUpdate> list, alone;
  for (int i = 0; i < 101; ++i) {
    const int64_t n = i % 10 == 3 ? 0 : i % 10 == 7 ? 9001 : 1 + 5 * i;
    AdamWStep step;
    step.lr = 1e-2 / (1 + i);
    step.step = 1 + i % 4;
    const auto tensor = [&](const char* name, double low) {
      const Tensor whole =
          Tensor::from(stream, {n + 1}, random_floats(n + 1, name + std::to_string(i), low));
      return whole.slice(i % 3 == 1 ? 1 : 0, n);  // offset by one element: no pack is aligned
    };
    for (auto* updates : {&list, &alone}) {
      const Tensor rounded = i % 2 == 0 ? Tensor::zeros(stream, {n}, DType::kBf16) : Tensor();
      updates->push_back({step, tensor("grad", -2), tensor("value", -2), tensor("m", -2),
                          tensor("v", 0), rounded});
    }
  }
  adamw(stream, list);
  for (const AdamWUpdate& one : alone) adamw(stream, {&one, 1});
  for (size_t i = 0; i < list.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(list[i].value.to_vector<float>(), alone[i].value.to_vector<float>());
    EXPECT_EQ(list[i].m.to_vector<float>(), alone[i].m.to_vector<float>());
    EXPECT_EQ(list[i].v.to_vector<float>(), alone[i].v.to_vector<float>());
    if (list[i].rounded.defined()) {
      EXPECT_EQ(to_floats(list[i].rounded),
                as_stored(list[i].value.to_vector<float>(), DType::kBf16));
    }
    auto value =
        widen<double>(random_floats(list[i].value.size() + 1, "value" + std::to_string(i)));
    auto m = widen<double>(random_floats(list[i].value.size() + 1, "m" + std::to_string(i)));
    auto v = widen<double>(random_floats(list[i].value.size() + 1, "v" + std::to_string(i), 0));
    const size_t shift = i % 3 == 1 ? 1 : 0;
    const auto grad = list[i].grad.to_vector<float>();
    std::vector<double> expected;
    for (size_t j = 0; j < grad.size(); ++j) {
      reference::adamw(list[i].step, static_cast<double>(grad[j]), value[j + shift], m[j + shift],
                       v[j + shift]);
      expected.push_back(value[j + shift]);
    }
    expect_close(list[i].value, expected, 1e-6, "value");
  }
}

TEST(AdamW, StepsAreCountedFromOne) {
  const Stream stream = test_stream();
  const Tensor x = Tensor::zeros(stream, {1});
  AdamWStep step;
  step.step = 0;
  EXPECT_THROW(update(stream, step, x, x, x, x), InternalError);
}

}  // namespace
}  // namespace lynceus::kernels

// Each kernel with the bytes that it must read or write once: a kernel that reads an array twice
// appears half as fast. Arrays are larger than the L2 cache of a device, so no launch benefits from
// the previous one.
#include "support/kernel_rates.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "core/config/config.h"
#include "kernels/activation.h"
#include "kernels/adamw.h"
#include "kernels/cast.h"
#include "kernels/cross_entropy.h"
#include "kernels/elementwise.h"
#include "kernels/embedding.h"
#include "kernels/norm.h"
#include "kernels/patchify.h"
#include "kernels/rope.h"
#include "support/measure.h"

namespace lynceus::bench {
namespace {

namespace k = kernels;

constexpr int64_t kWidth = 4096;  // of LLaMA-7B
constexpr int64_t kHeadDim = 128;
constexpr int64_t kVocabulary = 32001;
constexpr int64_t kVisionWidth = 1408;
constexpr int64_t kSide = 224, kPatch = 14;

struct Options {
  Place place;
  int64_t rows = 0;
  int64_t adapters = 0;
  int64_t launches = 20;
  int64_t samples = 7;
  std::string only;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.choice("device", place.device, {"auto", "cpu", "cuda"},
             "where arithmetic runs: auto (a GPU where there is one), cpu or cuda");
    v.field("rows", rows, "of 4096 elements in an array; 0: 16384 on a device, 1024 on CPUs");
    v.field("adapters", adapters, "whose tensors AdamW updates; 0: 16 on a device, 1 on CPUs");
    v.field("launches", launches, "that are timed together");
    v.field("samples", samples, "times that is done");
    v.field("only", only, "kernels whose name has this in it");
  }
};

/// Measures and prints; the first kernel is the copy.
class Table {
 public:
  Table(const Options& options, Stream on, DType in)
      : stream(std::move(on)), dtype(in), options_(options) {}

  const Stream stream;
  const DType dtype;

  void add(const std::string& name, double bytes, const std::function<void()>& work) {
    if (name != "copy" && name.find(options_.only) == std::string::npos) return;
    Spread rate = seconds_per_launch(stream, work, static_cast<int>(options_.launches),
                                     static_cast<int>(options_.samples));
    for (double& sample : rate.samples) sample = bytes / sample;
    if (name == "copy") copy_ = rate.median();
    print_line({{"figure", "kernel"},
                {"program", "lynceus"},
                {"device", name_of(stream.device())},
                {"precision", lynceus::name_of(dtype)},
                {"kernel", name},
                {"mib", bytes / (1 << 20)},
                {"gb_per_s", rate.json(1e-9)},
                {"copy_gb_per_s", copy_ * 1e-9},
                {"share", rate.median() / copy_}});
  }

 private:
  const Options& options_;
  double copy_ = 0;
};

/// Three input arrays and two output arrays of [rows, 4096], and vectors.
struct Arrays {
  Arrays(const Stream& stream, DType dtype, int64_t row_count)
      : rows(row_count), bytes(static_cast<double>(rows * kWidth) * size_of(dtype)) {
    RandomValues random(stream);
    for (Tensor* array : {&a, &b, &c, &y, &z}) *array = random.normal({rows, kWidth}, dtype);
    for (Tensor* vector : {&weight, &bias, &sums, &more_sums})
      *vector = random.normal({kWidth}, DType::kF32);
    for (Tensor* per_row : {&mean, &inverse}) *per_row = random.normal({rows}, DType::kF32);
    scaling = random.normal({1}, DType::kF32);
    scaling_sum = random.normal({1}, DType::kF32);
    cosine = constant(stream, 0.8f);
    sine = constant(stream, 0.6f);
  }

  int64_t rows;
  double bytes;  ///< of one array
  Tensor a, b, c, y, z, weight, bias, sums, more_sums, mean, inverse, scaling, scaling_sum, cosine,
      sine;

 private:
  /// Tables of one angle, so that rotating again and again changes no length.
  Tensor constant(const Stream& stream, float value) const {
    const std::vector<float> values(static_cast<size_t>(rows * kHeadDim / 2), value);
    return Tensor::from(stream, {rows, kHeadDim / 2}, values);
  }
};

/// On CPUs with all threads, like the kernels.
void copy(const Tensor& x, const Tensor& y) {
  if (!x.device().is_cpu()) return y.copy_from(x);
  const auto* from = static_cast<const char*>(x.raw());
  auto* to = static_cast<char*>(y.raw());
  const auto bytes = static_cast<int64_t>(x.bytes());
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < bytes; ++i) to[i] = from[i];
}

void norms(Table* table, const Arrays& t) {
  const Stream& stream = table->stream;
  table->add("rms_norm_forward", 2 * t.bytes,
             [&] { k::rms_norm_forward(stream, t.a, t.weight, 1e-6f, t.y, &t.inverse); });
  table->add("rms_norm_backward", 4 * t.bytes, [&] {  // frozen: no weight gradient
    k::rms_norm_backward(stream, t.a, t.weight, t.inverse, t.b, &t.c, &t.y, nullptr);
  });
  table->add("layer_norm_forward", 2 * t.bytes, [&] {
    k::layer_norm_forward(stream, t.a, t.weight, t.bias, 1e-5f, t.y, &t.mean, &t.inverse);
  });
  table->add("layer_norm_backward", 4 * t.bytes, [&] {
    k::layer_norm_backward(stream, t.a, t.weight, t.mean, t.inverse, t.b, &t.c, &t.y, &t.sums,
                           &t.more_sums);
  });
}

void activations(Table* table, const Arrays& t) {
  const Stream& stream = table->stream;
  table->add("swiglu_forward", 3 * t.bytes, [&] { k::swiglu_forward(stream, t.a, t.b, t.y); });
  table->add("swiglu_backward", 5 * t.bytes,
             [&] { k::swiglu_backward(stream, t.a, t.b, t.c, t.y, t.z); });
  table->add("silu_forward", 2 * t.bytes, [&] { k::silu_forward(stream, t.a, t.y); });
  table->add("silu_backward", 3 * t.bytes, [&] { k::silu_backward(stream, t.a, t.b, t.y); });
  table->add("gelu_forward", 2 * t.bytes, [&] { k::gelu_forward(stream, t.a, t.y); });
  table->add("gelu_backward", 3 * t.bytes, [&] { k::gelu_backward(stream, t.a, t.b, t.y); });
}

void elementwise(Table* table, const Arrays& t) {
  const Stream& stream = table->stream;
  table->add("add", 3 * t.bytes, [&] { k::add(stream, t.a, t.b, t.y); });
  table->add("add_bias", 2 * t.bytes, [&] { k::add_bias(stream, t.bias, t.y); });
  table->add("column_sum", t.bytes, [&] { k::column_sum(stream, t.a, t.sums); });
  table->add("adapter_epilogue_forward", 3 * t.bytes,
             [&] { k::adapter_epilogue_forward(stream, t.a, t.b, t.bias, t.scaling, t.y); });
  table->add("adapter_epilogue_backward", 3 * t.bytes, [&] {
    k::adapter_epilogue_backward(stream, t.a, t.bias, t.scaling, t.b, t.y, &t.scaling_sum, &t.sums);
  });
  const double rotated = 2 * t.bytes + 2 * static_cast<double>(t.cosine.bytes());
  table->add("rope_forward", rotated, [&] { k::rope_forward(stream, t.cosine, t.sine, t.y); });
  table->add("rope_backward", rotated, [&] { k::rope_backward(stream, t.cosine, t.sine, t.z); });
}

/// 0, step, 2·step, ... modulo `bound`: all different if step and bound have no common factor.
Tensor scattered(const Stream& stream, int64_t count, int64_t step, int64_t bound) {
  std::vector<int32_t> rows(static_cast<size_t>(count));
  for (size_t i = 0; i < rows.size(); ++i)
    rows[i] = static_cast<int32_t>(static_cast<int64_t>(i) * step % bound);
  return Tensor::from(stream, {count}, rows);
}

void moved_rows(Table* table, const Arrays& t) {
  const Stream& stream = table->stream;
  RandomValues random(stream);
  const int64_t bound = std::max(t.rows, kVocabulary);
  const Tensor rows = scattered(stream, t.rows, 7919, bound);
  const Tensor shuffled = scattered(stream, t.rows, 7919, t.rows);  // 7919 is a prime
  const Tensor embedding = random.normal({bound, kWidth}, table->dtype);
  table->add("embedding_forward", 2 * t.bytes,
             [&] { k::embedding_forward(stream, rows, embedding, 0, t.y); });
  const Tensor gradient = random.normal({bound, kWidth}, DType::kF32);
  table->add("embedding_backward", t.bytes + 8.0 * static_cast<double>(t.rows * kWidth),
             [&] { k::embedding_backward(stream, rows, t.a, 0, gradient); });
  table->add("gather_rows", 2 * t.bytes, [&] { k::gather_rows(stream, t.a, shuffled, t.y); });
  table->add("scatter_rows", 2 * t.bytes, [&] { k::scatter_rows(stream, t.a, shuffled, t.y); });
}

void pictures(Table* table, int64_t count) {
  const Stream& stream = table->stream;
  RandomValues random(stream);
  const int64_t patches = count * (kSide / kPatch) * (kSide / kPatch);
  const Tensor pixels = random.normal({count, 3, kSide, kSide}, DType::kF32);
  const Tensor cut = random.normal({patches, 3 * kPatch * kPatch}, table->dtype);
  table->add("patchify", static_cast<double>(pixels.bytes() + cut.bytes()),
             [&] { k::patchify(stream, pixels, kPatch, cut); });
  const Tensor rows = random.normal({patches, kVisionWidth}, table->dtype);
  const Tensor cls = random.normal({kVisionWidth}, DType::kF32);
  const Tensor position = random.normal({1 + patches / count, kVisionWidth}, DType::kF32);
  const Tensor y = random.normal({patches + count, kVisionWidth}, table->dtype);
  table->add("assemble_vision_tokens", static_cast<double>(rows.bytes() + y.bytes()),
             [&] { k::assemble_vision_tokens(stream, rows, cls, position, y); });
}

/// Reads (maximum and sums), then reads and writes (gradient).
void cross_entropy(Table* table, int64_t rows) {
  const Stream& stream = table->stream;
  RandomValues random(stream);
  const Tensor logits = random.normal({rows, kVocabulary}, table->dtype);
  const Tensor labels = scattered(stream, rows, 7919, kVocabulary);
  const k::VocabularyShard shard{0, kVocabulary, kVocabulary};
  const Tensor row_max = random.normal({rows}, DType::kF32);
  const Tensor partial = random.normal({rows, k::kCrossEntropyPartials}, DType::kF32);
  const Tensor loss = random.normal({rows}, DType::kF32);
  table->add("cross_entropy", 3 * static_cast<double>(logits.bytes()), [&] {
    k::cross_entropy_partial(stream, logits, labels, shard, row_max, partial);
    k::cross_entropy_finish(stream, logits, labels, shard, row_max, partial, 0.0f, true, &loss);
  });
}

/// All tensors of the adapters of a 7B model in one call, with their rounded copies in bf16.
void adamw(Table* table, int64_t adapters) {
  const Stream& stream = table->stream;
  RandomValues random(stream);
  constexpr int64_t kBottleneck = kWidth / 2;
  std::vector<k::AdamWUpdate> updates;
  std::vector<Tensor> gradients;
  double bytes = 0, gradient_bytes = 0;
  for (int64_t i = 0; i < adapters; ++i)
    for (const Shape& shape :
         {Shape{kWidth}, Shape{kWidth}, Shape{kBottleneck, kWidth}, Shape{kBottleneck},
          Shape{kWidth, kBottleneck}, Shape{kWidth}, Shape{1}}) {
      k::AdamWUpdate update;
      update.step.lr = 1e-6;
      for (Tensor* tensor : {&update.grad, &update.value, &update.m, &update.v})
        *tensor = random.normal(shape, DType::kF32);
      update.v.fill_zero();  // a sum of squares
      if (table->dtype == DType::kBf16 && shape.rank() == 2)
        update.rounded = Tensor::empty(stream, shape, DType::kBf16);
      gradients.push_back(update.grad);
      gradient_bytes += static_cast<double>(update.grad.bytes());
      // Reads the gradient, reads and writes value, m and v.
      bytes += 7.0 * static_cast<double>(update.grad.bytes());
      if (update.rounded.defined()) bytes += static_cast<double>(update.rounded.bytes());
      updates.push_back(std::move(update));
    }
  table->add("adamw", bytes, [&] { k::adamw(stream, updates); });
  table->add("sums_of_squares", gradient_bytes,
             [&] { static_cast<void>(k::sums_of_squares(stream, gradients)); });
}

void print_rates(const Options& options, const Stream& stream, DType dtype) {
  const bool cpu = stream.device().is_cpu();
  const int64_t rows = options.rows > 0 ? options.rows : cpu ? 1024 : 16384;
  Table table(options, stream, dtype);
  {
    const Arrays arrays(stream, dtype, rows);
    table.add("copy", 2 * arrays.bytes, [&] { copy(arrays.a, arrays.y); });
    norms(&table, arrays);
    activations(&table, arrays);
    elementwise(&table, arrays);
    moved_rows(&table, arrays);
    if (dtype == DType::kBf16) {
      RandomValues random(stream);
      const Tensor wide = random.normal({rows, kWidth}, DType::kF32);
      table.add("cast to bf16", 3 * arrays.bytes, [&] { k::cast(stream, wide, arrays.y); });
      table.add("cast to f32", 3 * arrays.bytes, [&] { k::cast(stream, arrays.a, wide); });
    }
  }
  pictures(&table, std::max<int64_t>(1, rows / 64));
  cross_entropy(&table, std::max<int64_t>(1, rows / 8));
  adamw(&table, options.adapters > 0 ? options.adapters : cpu ? 1 : 16);
}

}  // namespace

int print_kernel_rates(const std::vector<std::string>& arguments) {
  Options options;
  ConfigReader reader;
  reader.add(options);
  if (reader.read(arguments).help) {
    fmt::print("{}", reader.help());
    return 0;
  }
  if (options.rows < 0 || options.launches < 1 || options.samples < 1)
    throw UsageError("expected --rows of 0 or more, --launches and --samples of 1 or more");
  const Stream stream = options.place.stream();
  for (const DType dtype : {DType::kF32, DType::kBf16}) print_rates(options, stream, dtype);
  return 0;
}

}  // namespace lynceus::bench

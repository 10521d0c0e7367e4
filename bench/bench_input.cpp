// Images per second from files to the input of the encoder: open, decode, resize, crop, normalize,
// with the code that `lynceus train` calls.
//
//   bench_input --images DIR --threads N            one JSON line per size
//   bench_input --images DIR --serve                reads "224 evaluation", prints the seconds of a pass
//   bench_input --images DIR --scaled true          with data.scaled_decode
//   bench_input --loader SHARD.h5 --threads N       the prefetching loader against a bare loop that
//                                                   decodes and transforms the same images
//
// A pass processes every image once. An uncounted pass comes first, so that the files are in the
// page cache. bench/compare_input.py compares it with Pillow.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "core/config/config.h"
#include "core/error.h"
#include "io/dataset/dataset.h"
#include "io/files/file.h"
#include "io/media/image_transform.h"
#include "io/media/media_loader.h"
#include "support/measure.h"

namespace lynceus {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct BenchOptions {
  std::string images;
  std::string loader;
  int64_t threads = 1;
  std::string size = "224,420";
  int64_t rounds = 7;
  int64_t batch = 32;
  bool scaled = false;
  bool serve = false;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("images", images, "folder of image files");
    v.field("loader", loader, "dataset shard: measure the loader instead");
    v.field("threads", threads, "threads that decode and transform");
    v.field("size", size, "sides of the result, pixels, with commas between them");
    v.field("rounds", rounds, "passes that count, for each size and transform");
    v.field("batch", batch, "with --loader: samples a batch");
    v.field("scaled", scaled, "with --images: decode no larger than needed, as data.scaled_decode");
    v.field("serve", serve, "one pass for each line of stdin");
  }
};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// CPU seconds of all threads of this process.
double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// body(item, thread) for every item, on threads that take the next item when they are free.
template <typename Body>
void on_threads(int64_t threads, size_t items, const Body& body) {
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&](int64_t thread) {
    try {
      for (size_t item = next++; item < items; item = next++) body(item, thread);
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  for (int64_t thread = 1; thread < threads; ++thread) others.emplace_back(work, thread);
  work(0);
  for (std::thread& thread : others) thread.join();
  if (failure) std::rethrow_exception(failure);
}

struct Pass {
  double seconds = 0;
  double cpu = 0;
  std::array<double, 3>
      parts{};  ///< read and decode, resize and crop, normalize; sums over all threads
};

class Pictures {
 public:
  Pictures(const std::string& folder, bool scaled) : scaled_(scaled) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error))
      if (entry.is_regular_file()) files_.push_back(entry.path());
    if (files_.empty()) throw UsageError("--images {}: expected a folder of pictures", folder);
    std::sort(files_.begin(), files_.end());
  }
  size_t count() const { return files_.size(); }

  Pass pass(int size, bool training, int64_t threads) const {
    struct alignas(64) Worker {
      std::vector<float> pixels;
      std::array<double, 3> parts{};
    };
    std::vector<Worker> workers(static_cast<size_t>(threads));
    for (Worker& worker : workers) worker.pixels.resize(3 * static_cast<size_t>(size * size));
    Pass pass;
    const double cpu = cpu_seconds();
    const auto begin = Clock::now();
    on_threads(threads, files_.size(), [&](size_t item, int64_t thread) {
      Worker& worker = workers[static_cast<size_t>(thread)];
      std::array<Clock::time_point, 4> at{Clock::now()};
      const io::Image image = io::decode_image(io::read_text(files_[item]), files_[item].string(),
                                               {}, scaled_ ? size : 0);
      at[1] = Clock::now();
      const io::Image square = training ? io::training_transform(image, size, 1, item, 0)
                                        : io::evaluation_transform(image, size);
      at[2] = Clock::now();
      io::normalize(square, worker.pixels.data());
      at[3] = Clock::now();
      for (size_t part = 0; part < 3; ++part)
        worker.parts[part] += std::chrono::duration<double>(at[part + 1] - at[part]).count();
    });
    pass.seconds = seconds_since(begin);
    pass.cpu = cpu_seconds() - cpu;
    for (const Worker& worker : workers)
      for (size_t part = 0; part < 3; ++part) pass.parts[part] += worker.parts[part];
    return pass;
  }

 private:
  bool scaled_;
  std::vector<fs::path> files_;
};

bench::Json rates(const bench::Spread& seconds, double count) {
  return {{"min", count / seconds.max()},
          {"median", count / seconds.median()},
          {"max", count / seconds.min()}};
}

bench::Json measure_transform(const Pictures& pictures, const BenchOptions& options, int size,
                              bool training) {
  const auto count = static_cast<double>(pictures.count());
  pictures.pass(size, training, options.threads);
  bench::Spread seconds, cpu;
  std::array<bench::Spread, 3> parts;
  for (int64_t round = 0; round < options.rounds; ++round) {
    const Pass pass = pictures.pass(size, training, options.threads);
    seconds.samples.push_back(pass.seconds);
    cpu.samples.push_back(pass.cpu);
    for (size_t part = 0; part < 3; ++part) parts[part].samples.push_back(pass.parts[part]);
  }
  const double scale = 1e3 / count;
  return {{"images_per_s", rates(seconds, count)},
          {"images_per_cpu_s", rates(cpu, count)},
          {"decode_ms", parts[0].median() * scale},
          {"resize_ms", parts[1].median() * scale},
          {"normalize_ms", parts[2].median() * scale}};
}

void measure(const BenchOptions& options, const std::vector<int>& sizes) {
  const Pictures pictures(options.images, options.scaled);
  for (const int size : sizes) {
    const bench::Json evaluation = measure_transform(pictures, options, size, false);
    bench::print_line({{"figure", "input"},
                       {"size", size},
                       {"threads", options.threads},
                       {"scaled", options.scaled},
                       {"images", pictures.count()},
                       {"images_per_s", evaluation["images_per_s"]["median"]},
                       {"transform", "evaluation"},
                       {"evaluation", evaluation},
                       {"training", measure_transform(pictures, options, size, true)}});
  }
}

void serve(const BenchOptions& options) {
  const Pictures pictures(options.images, options.scaled);
  for (std::string line; std::getline(std::cin, line);) {
    int size = 0;
    std::string transform;
    std::istringstream(line) >> size >> transform;
    if (size <= 0 || (transform != "evaluation" && transform != "training"))
      throw UsageError("--serve: expected a line like '224 evaluation', found '{}'", line);
    const Pass pass = pictures.pass(size, transform == "training", options.threads);
    fmt::print("{:.6f} {:.6f}\n", pass.seconds, pass.cpu);
    std::fflush(stdout);
  }
}

// ---- The loader --------------------------------------------------------------------------------

/// Batches of the dataset shard's samples with media, by the loader and by a loop without it. Both
/// fill tensors of a complete batch, and both crop at random.
class LoaderBench {
 public:
  LoaderBench(const io::Dataset& dataset, const BenchOptions& options, int size)
      : dataset_(dataset), options_(options) {
    transform_.image_size = size;
    transform_.augment = true;
    for (int64_t sample = 0; sample < dataset.size(); ++sample) {
      if (dataset.media_count(sample) == 0) continue;
      if (batches_.empty() || std::ssize(batches_.back()) == options.batch) batches_.emplace_back();
      batches_.back().push_back({0, sample, static_cast<uint64_t>(sample)});
      media_ += dataset.media_count(sample);
    }
    if (batches_.empty()) throw InputError("{}: expected pictures, found none", options.loader);
    loader_ =
        std::make_unique<io::MediaLoader>(std::vector<const io::Dataset*>{&dataset}, transform_,
                                          static_cast<int>(options.threads), stream_);
    // Two buffers, as in the loader, which works on two batches at a time.
    for (int copy = 0; copy < transform_.depth; ++copy)
      for (const io::MediaRequest& request : batches_.front())
        tensors_.push_back(tensor_of(request));
  }
  double media() const { return static_cast<double>(media_); }

  Pass by_loader() {
    return timed([&] {
      for (const auto& batch : batches_) loader_->request(batch);
      for (size_t i = 0; i < batches_.size(); ++i)
        for (const io::LoadedMedia& media : loader_->take())
          if (media.damaged) throw InputError("{}", media.reason);
    });
  }

  Pass by_bare_loop() {
    std::vector<io::MediaRequest> requests;
    for (const auto& batch : batches_) requests.insert(requests.end(), batch.begin(), batch.end());
    return timed([&] {
      on_threads(options_.threads, requests.size(), [&](size_t item, int64_t) {
        const io::MediaRequest& request = requests[item];
        Tensor& tensor = tensors_[item % tensors_.size()];
        const int count = dataset_.media_count(request.sample);
        // The sample has another number of images than the previous one in this buffer.
        if (tensor.dim(0) != count) tensor = tensor_of(request);
        const int64_t pixels = tensor.size() / count;
        const bool frames = dataset_.kind(request.sample) == io::MediaKind::kFrames;
        for (int i = 0; i < count; ++i) {
          const io::Image image = io::decode_image(dataset_.read_media(request.sample, i), "");
          io::normalize(
              io::training_transform(image, transform_.image_size, transform_.seed,
                                     request.augment_index, frames ? 0 : static_cast<uint64_t>(i)),
              tensor.data<float>() + i * pixels);
        }
      });
    });
  }

 private:
  template <typename Work>
  static Pass timed(const Work& work) {
    Pass pass;
    const double cpu = cpu_seconds();
    const auto begin = Clock::now();
    work();
    pass.seconds = seconds_since(begin);
    pass.cpu = cpu_seconds() - cpu;
    return pass;
  }
  Tensor tensor_of(const io::MediaRequest& request) const {
    const int64_t size = transform_.image_size;
    return Tensor::zeros(stream_, {dataset_.media_count(request.sample), 3, size, size},
                         DType::kF32, MemoryOwner::kInput);
  }

  const io::Dataset& dataset_;
  const BenchOptions& options_;
  io::TransformConfig transform_;
  Stream stream_;
  std::vector<std::vector<io::MediaRequest>> batches_;
  int64_t media_ = 0;
  std::unique_ptr<io::MediaLoader> loader_;
  std::vector<Tensor> tensors_;  // the buffers of the batches in work
};

void measure_loader(const BenchOptions& options, const std::vector<int>& sizes) {
  const io::Dataset dataset("bench", options.loader);
  for (const int size : sizes) {
    LoaderBench bench(dataset, options, size);
    bench.by_loader();
    bench.by_bare_loop();
    bench::Spread loader, bare, overhead, cpu_overhead;
    for (int64_t round = 0; round < options.rounds; ++round) {
      Pass loaded, plain;
      if (round % 2 == 0) loaded = bench.by_loader();
      plain = bench.by_bare_loop();
      if (round % 2 == 1) loaded = bench.by_loader();
      loader.samples.push_back(loaded.seconds);
      bare.samples.push_back(plain.seconds);
      overhead.samples.push_back(loaded.seconds / plain.seconds - 1);
      cpu_overhead.samples.push_back(loaded.cpu / plain.cpu - 1);
    }
    bench::print_line({{"figure", "loader"},
                       {"size", size},
                       {"threads", options.threads},
                       {"images", bench.media()},
                       {"images_per_s", bench.media() / loader.median()},
                       {"bare_images_per_s", bench.media() / bare.median()},
                       {"overhead", overhead.json()},
                       {"cpu_overhead", cpu_overhead.json()}});
  }
}

std::vector<int> sizes_of(const BenchOptions& options) {
  std::vector<int> sizes;
  std::istringstream in(options.size);
  for (std::string word; std::getline(in, word, ',');) {
    const bool plain = !word.empty() && word.size() < 5 &&
                       word.find_first_not_of("0123456789") == std::string::npos;
    if (!plain || std::stoi(word) == 0)
      throw UsageError("--size: expected sides like 224,420, found '{}'", options.size);
    sizes.push_back(std::stoi(word));
  }
  return sizes;
}

int run(const std::vector<std::string>& arguments) {
  BenchOptions options;
  ConfigReader reader;
  reader.add(options);
  if (reader.read(arguments).help) {
    fmt::print("{}", reader.help());
    return 0;
  }
  const std::vector<int> sizes = sizes_of(options);
  if (options.threads < 1 || options.rounds < 1 || options.batch < 1 || sizes.empty())
    throw UsageError("expected --threads, --rounds and --batch of 1 or more and a --size");
  if (options.images.empty() == options.loader.empty())
    throw UsageError("expected either --images FOLDER or --loader SHARD.h5");
  if (!options.loader.empty())
    measure_loader(options, sizes);
  else if (options.serve)
    serve(options);
  else
    measure(options, sizes);
  return 0;
}

}  // namespace
}  // namespace lynceus

int main(int argc, char** argv) {
  return lynceus::bench::guarded("bench_input", [&] {
    return lynceus::run({argv + 1, argv + argc});
  });
}

// Gigabytes per second at which the weights of an LLM are loaded from a cached file into a model,
// compared with dd on the same file in the same run.
//
//   bench_load                                each stored type into a run in f32 and one in bf16
//   mpirun -n 2 bench_load --stored bf16      two tensor ranks, each reads its slices
//
// Loading is load_weights() as `lynceus train` calls it: open the file, read every slice to its
// place, round to the precision of the run, agree over ranks. Three other measurements alternate
// with it:
//
//   dd      `dd of=/dev/null bs=1M`, one process for any number of ranks; the time that dd prints
//   plain   reads of one MiB into one buffer, each rank its share on one thread: like one dd per rank,
//           without starting a process
//   memory  the same values from memory to memory, converted by the same threads: loading without a file
//
// All count the bytes of the file, which are in the page cache. dd and plain reads write to a
// buffer that stays in the cache of a core, loading writes to memory: `memory` is an upper bound
// for it.
#include <fmt/format.h>
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "core/random.h"
#include "io/files/file.h"
#include "io/weights/convert.h"
#include "io/weights/stored_tensor.h"
#include "io/weights/weight_files.h"
#include "model/load_weights.h"
#include "parallel/agreement.h"
#include "parallel/mpi_session.h"
#include "support/measure.h"

namespace lynceus {
namespace {

namespace fs = std::filesystem;

struct BenchOptions {
  std::string folder;
  std::string stored = "all";
  std::string precision = "all";
  int64_t layers = 4;
  int64_t rounds = 7;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("folder", folder, "where the file is made and removed; empty: the system's for such");
    v.choice("stored", stored, {"all", "f32", "f16", "bf16"}, "type of the numbers in the file");
    v.choice("precision", precision, {"all", "f32", "bf16"}, "of the run that loads them");
    v.field("layers", layers, "decoder layers of width 2048; each 100 MB in halves");
    v.field("rounds", rounds, "of each that count");
  }
};

model::ModelConfig model_config(int64_t layers) {
  model::ModelConfig config;
  config.llm.hidden_size = 2048;
  config.llm.intermediate_size = 5504;
  config.llm.num_layers = layers;
  config.llm.num_heads = 16;
  config.llm.vocab_size = 32000;
  // Everything that is not loaded is as small as possible.
  config.vision.image_size = 28;
  config.vision.hidden_size = 16;
  config.vision.num_layers = 1;
  config.vision.num_heads = 1;
  config.vision.intermediate_size = 16;
  config.bridge.kind = "affine";
  config.adapter.every = 0;
  return config;
}

io::FileType type_of(const std::string& stored) {
  if (stored == "f32") return io::FileType::kF32;
  return stored == "f16" ? io::FileType::kF16 : io::FileType::kBf16;
}

/// The tensors of the LLM as safetensors, with normal values. Not synced: only this run needs the
/// file.
void write_weights(const fs::path& path, const model::ModelConfig& config, io::FileType type) {
  std::string header;
  uint64_t end = 0;
  for (const io::ExpectedTensor& tensor :
       model::expected_tensors(config, model::of_module(Module::kLlm))) {
    const uint64_t begin = end;
    end += *io::bytes_of(tensor.shape, io::size_of(type));
    header += fmt::format(R"({}"{}":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})",
                          header.empty() ? "{" : ",", tensor.name, io::name_of(type),
                          tensor.shape.to_string(), begin, end);
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  constexpr size_t kTile = 4194301;  // a prime
  const CounterRandom random(1, "bench_load");
  std::vector<float> values(kTile);
  for (size_t i = 0; i < kTile; ++i) values[i] = 0.02F * static_cast<float>(random.normal(i));
  std::vector<char> tile(kTile * io::size_of(type));
  io::convert(values.data(), DType::kF32, tile.data(), *io::dtype_of(type), kTile);
  const uint64_t length = header.size();
  io::File file = io::File::create(path);
  file.append(&length, sizeof(length));
  file.append(header.data(), header.size());
  for (uint64_t done = 0; done < end; done += tile.size())
    file.append(tile.data(), std::min<uint64_t>(tile.size(), end - done));
}

/// The seconds that dd reports for reading the file.
double seconds_of_dd(const fs::path& path) {
  const std::string command =
      fmt::format("LC_ALL=C dd if='{}' of=/dev/null bs=1M 2>&1", path.string());
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  if (!pipe) throw IoError("popen '{}'", command);
  std::string said(4096, '\0');
  said.resize(fread(said.data(), 1, said.size(), pipe.get()));
  const size_t copied = said.find("copied, ");
  if (copied == std::string::npos) throw IoError("'{}' says: {}", command, said);
  return std::strtod(said.c_str() + copied + std::strlen("copied, "), nullptr);
}

class LoadBench {
 public:
  LoadBench(const Runtime& rt, const model::ModelConfig& config, fs::path path, DType stored)
      : rt_(rt),
        path_(std::move(path)),
        model_(model::make_lynx(rt, config, model::partition_model(config, 1, ""), 0)),
        buffer_(size_t{1} << 20) {
    const io::File file = io::File::open(path_);
    share_ = file.size() / static_cast<uint64_t>(rt.grid.world->size());
    const Shape shape{static_cast<int64_t>(share_ / size_of(stored))};
    stored_ = Tensor::empty(rt.host(), shape, stored, MemoryOwner::kFrozenWeight);
    loaded_ = Tensor::empty(rt.host(), shape, rt.precision, MemoryOwner::kFrozenWeight);
    file.read_at(0, stored_.raw(), static_cast<uint64_t>(stored_.bytes()));
  }

  double load() {
    return timed([&] {
      model::load_weights(rt_, &model_, *io::open_weights(path_), model::of_module(Module::kLlm));
    });
  }
  /// The value of rank 0; 0 on other ranks.
  double dd() {
    double seconds = 0;
    timed([&] {
      if (rt_.grid.world->rank() == 0) seconds = seconds_of_dd(path_);
    });
    return seconds;
  }
  double plain_read() {
    return timed([&] {
      const io::File file = io::File::open(path_);
      uint64_t at = share_ * static_cast<uint64_t>(rt_.grid.world->rank());
      for (const uint64_t end = at + share_; at < end;) {
        const uint64_t count = std::min<uint64_t>(buffer_.size(), end - at);
        file.read_at(at, buffer_.data(), count);
        at += count;
      }
    });
  }
  double memory() {
    constexpr int64_t kPiece = 65536;  // elements
    const char* from = static_cast<const char*>(stored_.raw());
    char* to = static_cast<char*>(loaded_.raw());
    return timed([&] {
#pragma omp parallel for schedule(static)
      for (int64_t at = 0; at < stored_.size(); at += kPiece) {
        const auto count = static_cast<size_t>(std::min(kPiece, stored_.size() - at));
        io::convert(from + static_cast<size_t>(at) * size_of(stored_.dtype()), stored_.dtype(),
                    to + static_cast<size_t>(at) * size_of(loaded_.dtype()), loaded_.dtype(),
                    count);
      }
    });
  }

 private:
  /// Seconds until the last rank is done.
  template <typename Work>
  double timed(const Work& work) {
    rt_.grid.world->barrier();
    const auto begin = std::chrono::steady_clock::now();
    work();
    rt_.grid.world->barrier();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  const Runtime& rt_;
  fs::path path_;
  model::LynxModel model_;
  std::vector<char> buffer_;
  uint64_t share_ = 0;  ///< of the file, in bytes
  Tensor stored_, loaded_;
};

void measure(const Runtime& rt, const BenchOptions& options, const std::string& stored,
             const fs::path& path) {
  LoadBench bench(rt, model_config(options.layers), path, *io::dtype_of(type_of(stored)));
  const double bytes = static_cast<double>(fs::file_size(path));
  bench::Spread load, dd, plain, memory, share_of_dd, share_of_memory;
  for (int64_t round = -1; round < options.rounds; ++round) {
    // In turn, in alternating order.
    const double before = round % 2 == 0 ? bench.dd() : 0;
    const double loading = bench.load();
    const double reading = round % 2 == 0 ? before : bench.dd();
    const double plainly = bench.plain_read();
    const double in_memory = bench.memory();
    if (round < 0) continue;
    load.samples.push_back(1e-9 * bytes / loading);
    dd.samples.push_back(1e-9 * bytes / reading);
    plain.samples.push_back(1e-9 * bytes / plainly);
    memory.samples.push_back(1e-9 * bytes / in_memory);
    share_of_dd.samples.push_back(reading / loading);
    share_of_memory.samples.push_back(in_memory / loading);
  }
  if (rt.grid.world->rank() != 0) return;
  bench::print_line({{"figure", "load"},
                     {"ranks", rt.grid.world->size()},
                     {"threads", omp_get_max_threads()},
                     {"stored", stored},
                     {"precision", name_of(rt.precision)},
                     {"mib", bytes / (1 << 20)},
                     {"gb_per_s", load.json()},
                     {"dd_gb_per_s", dd.json()},
                     {"plain_gb_per_s", plain.json()},
                     {"memory_gb_per_s", memory.json()},
                     {"share_of_dd", share_of_dd.json()},
                     {"share_of_memory", share_of_memory.json()}});
}

int run(const std::vector<std::string>& arguments) {
  BenchOptions options;
  ConfigReader reader;
  reader.add(options);
  const bool help = reader.read(arguments).help;
  const auto world = parallel::make_world();
  if (help) {
    if (world->rank() == 0) fmt::print("{}", reader.help());
    return 0;
  }
  if (options.layers < 1 || options.rounds < 1)
    throw UsageError("expected --layers and --rounds of 1 or more");
  const fs::path folder =
      options.folder.empty() ? fs::temp_directory_path() : fs::path(options.folder);
  const fs::path path =
      folder / world->broadcast(fmt::format("bench-load-{}.safetensors", getpid()), 0);
  for (const std::string stored : {"f32", "f16", "bf16"}) {
    if (options.stored != "all" && options.stored != stored) continue;
    parallel::agree(*world, [&] {
      if (world->rank() == 0) write_weights(path, model_config(options.layers), type_of(stored));
    });
    for (const DType precision : {DType::kF32, DType::kBf16}) {
      if (options.precision != "all" && options.precision != name_of(precision)) continue;
      const Runtime rt(Stream(), parallel::make_grid({world->size(), 1, 1}, parallel::make_world()),
                       precision);
      measure(rt, options, stored, path);
    }
    world->barrier();
    if (world->rank() == 0) fs::remove(path);
  }
  return 0;
}

}  // namespace
}  // namespace lynceus

int main(int argc, char** argv) {
  using lynceus::parallel::MpiSession;
  const MpiSession session(&argc, &argv);
  try {
    return lynceus::run({argv + 1, argv + argc});
  } catch (const lynceus::Error& error) {
    fmt::print(stderr, "bench_load: {}\n", error.what());
    MpiSession::abort(static_cast<int>(error.code()));
  }
}

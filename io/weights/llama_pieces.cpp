// Tables of names and axes, and a source that joins the pieces while it reads them.
#include "io/weights/llama_pieces.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "core/error.h"
#include "io/files/json.h"
#include "io/weights/torch_file.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;

enum class Join : uint8_t { kRows, kColumns, kSame, kEmbedding };
enum class Rotary : uint8_t { kNone, kQueries, kKeys };

struct NameRow {
  std::string_view meta;  // after "layers.N." for a tensor of a layer
  std::string_view hf;    // after "model.layers.N."
  Join join = Join::kRows;
  Rotary rotary = Rotary::kNone;
};
constexpr std::array<NameRow, 9> kLayerNames{
    {{"attention.wq.weight", "self_attn.q_proj.weight", Join::kRows, Rotary::kQueries},
     {"attention.wk.weight", "self_attn.k_proj.weight", Join::kRows, Rotary::kKeys},
     {"attention.wv.weight", "self_attn.v_proj.weight"},
     {"attention.wo.weight", "self_attn.o_proj.weight", Join::kColumns},
     {"feed_forward.w1.weight", "mlp.gate_proj.weight"},
     {"feed_forward.w2.weight", "mlp.down_proj.weight", Join::kColumns},
     {"feed_forward.w3.weight", "mlp.up_proj.weight"},
     {"attention_norm.weight", "input_layernorm.weight", Join::kSame},
     {"ffn_norm.weight", "post_attention_layernorm.weight", Join::kSame}}};
constexpr std::array<NameRow, 3> kOtherNames{
    {{"tok_embeddings.weight", "model.embed_tokens.weight", Join::kEmbedding},
     {"norm.weight", "model.norm.weight", Join::kSame},
     {"output.weight", "lm_head.weight"}}};

struct Params {
  int64_t dim = 0;
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t num_layers = 0;
  double norm_eps = 0;
  double rope_theta = 10000.0;

  int64_t head_dim() const { return dim / num_heads; }
};

constexpr int64_t kMax = 1 << 24;  // upper limit of every size

Params read_params(const fs::path& directory) {
  const Json json = Json::read(directory / kParamsName);
  Params params;
  params.dim = json.at("dim").integer(1, kMax);
  params.num_heads = json.at("n_heads").integer(1, kMax);
  params.num_layers = json.at("n_layers").integer(1, kMax);
  params.norm_eps = json.at("norm_eps").number();
  const auto kv_heads = json.find("n_kv_heads");
  params.num_kv_heads =
      kv_heads && !kv_heads->is_null() ? kv_heads->integer(1, kMax) : params.num_heads;
  if (const auto theta = json.find("rope_theta")) params.rope_theta = theta->number();
  if (const auto scaled = json.find("use_scaled_rope"))
    if (!scaled->is_boolean() || scaled->boolean())
      throw InputError("{}: use_scaled_rope: expected false, found another value", json.where());
  if (params.dim % (2 * params.num_heads) != 0 || params.num_heads % params.num_kv_heads != 0)
    throw InputError(
        "{}: expected dim = {} to be a multiple of 2 * n_heads (n_heads = {}), n_kv_heads = {} to "
        "divide "
        "n_heads",
        json.where(), params.dim, params.num_heads, params.num_kv_heads);
  return params;
}

/// The table row and Hugging Face's name for one of Meta's names; nullopt if no table has it.
struct Meaning {
  const NameRow* row;
  std::string hf;
};
std::optional<Meaning> meaning_of(const std::string& name) {
  constexpr std::string_view kLayers = "layers.";
  if (!name.starts_with(kLayers)) {
    for (const NameRow& row : kOtherNames)
      if (row.meta == name) return Meaning{&row, std::string(row.hf)};
    return std::nullopt;
  }
  const size_t dot = name.find('.', kLayers.size());
  if (dot == std::string::npos) return std::nullopt;
  for (const NameRow& row : kLayerNames)
    if (row.meta == std::string_view(name).substr(dot + 1))
      return Meaning{&row, "model." + name.substr(0, dot + 1) + std::string(row.hf)};
  return std::nullopt;
}

/// Copies elements [first, first + count) of `from` to `to` at element `place`; equal types.
void copy_elements(const Tensor& from, int64_t first, int64_t count, const Tensor& to,
                   int64_t place) {
  const auto bytes = static_cast<int64_t>(size_of(from.dtype()));
  std::memcpy(static_cast<char*>(to.raw()) + place * bytes,
              static_cast<const char*>(from.raw()) + first * bytes,
              static_cast<size_t>(count * bytes));
}

/// Copies `part` to columns [begin, begin + part.dim(1)) of `whole`.
void put_columns(const Tensor& part, const Tensor& whole, int64_t begin) {
  for (int64_t row = 0; row < part.dim(0); ++row)
    copy_elements(part, row * part.dim(1), part.dim(1), whole, row * whole.dim(1) + begin);
}

class PiecesSource : public WeightSource {
 public:
  PiecesSource(const fs::path& directory, const Params& params)
      : directory_(directory), params_(params) {
    for (int piece = 0;; ++piece) {
      const fs::path path = directory / fmt::format("consolidated.{:02}.pth", piece);
      std::error_code ignored;  // a link to nowhere is reported when it is opened
      if (!file_exists(path) && !fs::is_symlink(path, ignored)) break;
      pieces_.push_back(open_torch_file(path));
    }
    if (pieces_.empty())
      throw InputError("{}: expected {}, found no such file", directory.string(), kPieceName);
    for (const WeightSourcePtr& piece : pieces_)
      if (piece->names() != pieces_[0]->names())
        throw InputError("{} and {} contain tensors of different names", pieces_[0]->describe(),
                         piece->describe());
    std::string unknown;
    for (const std::string& name : pieces_[0]->names()) {
      if (name.ends_with("rope.freqs")) continue;
      if (const auto meaning = meaning_of(name))
        tensors_.emplace(meaning->hf, join(name, *meaning->row));
      else
        unknown += "\n  " + name;
    }
    if (!unknown.empty())
      throw InputError("{}: these names are not from LLaMA:{}", pieces_[0]->describe(), unknown);
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const auto& [name, tensor] : tensors_) all.push_back(name);
    return all;
  }
  bool has(const std::string& name) const override { return tensors_.contains(name); }
  Shape shape(const std::string& name) const override { return tensor(name).shape; }
  void read(const std::string& name, const Slice& slice, const Tensor& out) const override {
    const Joined& found = tensor(name);
    const Shape part = slice.of(found.shape);
    LYNCEUS_CHECK(out.shape() == part, "'{}': {} into {}", name, part.to_string(),
                  out.shape().to_string());
    if (found.rotary)
      read_rotary(found, slice, out);
    else
      read_joined(found, slice, out);
  }
  std::string describe() const override { return directory_.string(); }
  std::vector<fs::path> files() const override {
    std::vector<fs::path> all;
    for (const WeightSourcePtr& piece : pieces_)
      for (const fs::path& file : piece->files()) all.push_back(file);
    return all;
  }

 private:
  struct Joined {
    std::string meta;
    Shape shape;
    int axis = -1;                     // along which pieces are joined; -1: the first piece has all
    std::vector<int64_t> begins = {};  // along `axis`, of each piece; and the end
    bool rotary = false;
  };

  const Joined& tensor(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) throw InputError("{}: there is no tensor '{}'", describe(), name);
    return found->second;
  }

  /// The pieces of the embedding split its rows in LLaMA 3, and its columns in earlier versions.
  int axis_of(const std::string& name, const NameRow& row) const {
    if (pieces_.size() == 1 || row.join == Join::kSame) return -1;
    if (row.join == Join::kEmbedding) return pieces_[0]->shape(name)[1] == params_.dim ? 0 : 1;
    return row.join == Join::kColumns ? 1 : 0;
  }

  Joined join(const std::string& name, const NameRow& row) const {
    Joined joined{name, pieces_[0]->shape(name)};
    const int rank = row.join == Join::kSame ? 1 : 2;
    if (joined.shape.rank() != rank)
      throw InputError("{}: '{}' has shape {}, expected {} axes", pieces_[0]->describe(), name,
                       joined.shape.to_string(), rank);
    joined.axis = axis_of(name, row);
    if (joined.axis >= 0) lay_out(&joined);
    joined.rotary = row.rotary != Rotary::kNone;
    const int64_t heads = row.rotary == Rotary::kKeys ? params_.num_kv_heads : params_.num_heads;
    if (joined.rotary && joined.shape[0] != heads * params_.head_dim())
      throw InputError("{}: '{}' has {} rows in all pieces, expected {} heads of {} rows",
                       describe(), name, joined.shape[0], heads, params_.head_dim());
    return joined;
  }

  void lay_out(Joined* joined) const {
    int64_t end = 0;
    for (const WeightSourcePtr& piece : pieces_) {
      Shape shape = piece->shape(joined->meta);
      const int64_t extent = joined->axis < shape.rank() ? shape[joined->axis] : 0;
      Shape expected = joined->shape;
      expected.set(joined->axis, extent);
      if (!(shape == expected))
        throw InputError("{}: '{}' has shape {}, which does not match the first piece's {}",
                         piece->describe(), joined->meta, shape.to_string(),
                         joined->shape.to_string());
      joined->begins.push_back(end);
      if (__builtin_add_overflow(end, extent, &end))
        throw InputError("{}: the size of '{}' overflows", describe(), joined->meta);
    }
    joined->begins.push_back(end);
    joined->shape.set(joined->axis, end);
  }

  /// Reads the slice in Meta's order of rows.
  void read_joined(const Joined& joined, const Slice& slice, const Tensor& out) const {
    if (joined.axis < 0) return pieces_[0]->read(joined.meta, slice, out);
    const bool along = slice.axis == joined.axis;
    const int64_t begin = along ? slice.begin : 0;
    const int64_t end = along ? slice.begin + slice.count : joined.begins.back();
    for (size_t piece = 0; piece < pieces_.size(); ++piece) {
      const int64_t from = std::max(begin, joined.begins[piece]);
      const int64_t to = std::min(end, joined.begins[piece + 1]);
      if (from >= to) continue;
      const WeightSource& source = *pieces_[piece];
      const Slice local{joined.axis, from - joined.begins[piece], to - from};
      if (joined.axis == 0)
        read_rows(source, joined, local, slice, out.slice(from - begin, to - from));
      else
        read_columns(source, joined, local, slice, out, from - begin);
    }
  }

  /// Reads rows of a piece into `out`, the rows of the result that they become.
  static void read_rows(const WeightSource& piece, const Joined& joined, const Slice& local,
                        const Slice& slice, const Tensor& out) {
    // A slice of columns takes all rows of every piece.
    piece.read(joined.meta, slice.axis == 1 ? slice : local, out);
  }

  /// Reads columns of a piece into `out` from `column` on. If complete rows of the piece are
  /// needed, reads a block of rows at a time.
  static void read_columns(const WeightSource& piece, const Joined& joined, const Slice& local,
                           const Slice& slice, const Tensor& out, int64_t column) {
    constexpr int64_t kBlockElements = 1 << 20;
    if (local.count != piece.shape(joined.meta)[1]) {
      const Tensor part = Tensor::empty(Stream{}, {out.dim(0), local.count}, out.dtype());
      piece.read(joined.meta, local, part);
      return put_columns(part, out, column);
    }
    const int64_t first = slice.axis == 0 ? slice.begin : 0;
    const int64_t block = std::max<int64_t>(1, kBlockElements / local.count);
    for (int64_t row = 0; row < out.dim(0); row += block) {
      const int64_t rows = std::min(block, out.dim(0) - row);
      const Tensor part = Tensor::empty(Stream{}, {rows, local.count}, out.dtype());
      piece.read(joined.meta, Slice{0, first + row, rows}, part);
      put_columns(part, out.slice(row, rows), column);
    }
  }

  /// Reads complete heads and copies the requested rows to their places.
  void read_rotary(const Joined& joined, const Slice& slice, const Tensor& out) const {
    const int64_t head_dim = params_.head_dim();
    const int64_t half = head_dim / 2;
    const int64_t begin = slice.axis == 0 ? slice.begin : 0;
    const int64_t end = begin + out.dim(0);
    const int64_t columns = out.dim(1);
    for (int64_t head = begin / head_dim; head * head_dim < end; ++head) {
      const Slice rows{0, head * head_dim, head_dim};
      const Tensor all = Tensor::empty(Stream{}, {head_dim, joined.shape[1]}, out.dtype());
      read_joined(joined, rows, all);
      const int64_t from = std::max(begin, rows.begin);
      const int64_t to = std::min(end, rows.begin + head_dim);
      const int64_t skipped = slice.axis == 1 ? slice.begin : 0;
      for (int64_t row = from; row < to; ++row) {
        const int64_t inside = row - rows.begin;
        const int64_t meta = inside % half * 2 + inside / half;
        copy_elements(all, meta * joined.shape[1] + skipped, columns, out, (row - begin) * columns);
      }
    }
  }

  fs::path directory_;
  Params params_;
  std::vector<WeightSourcePtr> pieces_;
  std::map<std::string, Joined> tensors_;  // by Hugging Face's name
};

/// A size that comes from the shape of a tensor: its rows.
int64_t rows_of(const WeightSource& source, const std::string& name) {
  const int64_t rows = source.shape(name)[0];
  if (rows < 1 || rows > kMax)
    throw InputError("{}: '{}' has {} rows, expected 1 to {}", source.describe(), name, rows, kMax);
  return rows;
}

}  // namespace

WeightSourcePtr open_llama_pieces(const fs::path& directory) {
  return std::make_shared<PiecesSource>(directory, read_params(directory));
}

LlamaConfig read_llama_params(const fs::path& directory) {
  const Params params = read_params(directory);
  const WeightSourcePtr source = open_llama_pieces(directory);
  LlamaConfig config;
  config.hidden_size = params.dim;
  config.intermediate_size = rows_of(*source, "model.layers.0.mlp.gate_proj.weight");
  config.num_hidden_layers = params.num_layers;
  config.num_attention_heads = params.num_heads;
  config.num_key_value_heads = params.num_kv_heads;
  config.vocab_size = rows_of(*source, "lm_head.weight");
  config.rms_norm_eps = params.norm_eps;
  config.rope_theta = params.rope_theta;
  if (!(config.rms_norm_eps >= 0) || !(config.rope_theta > 0))
    throw InputError("{}: norm_eps = {} must be at least 0 and rope_theta = {} positive",
                     (directory / kParamsName).string(), config.rms_norm_eps, config.rope_theta);
  return config;
}

}  // namespace lynceus::io

// Renames, combines and matches weight sources.
#include "io/weights/weights.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/error.h"
#include "io/weights/name_list.h"

namespace lynceus::io {
namespace {

class PrefixedSource : public WeightSource {
 public:
  PrefixedSource(WeightSourcePtr source, std::string remove, std::string add)
      : source_(std::move(source)), remove_(std::move(remove)), add_(std::move(add)) {}

  std::vector<std::string> names() const override {
    // Names that share a prefix stay sorted when it is replaced.
    std::vector<std::string> shown;
    for (const std::string& name : source_->names())
      if (name.starts_with(remove_)) shown.push_back(add_ + name.substr(remove_.size()));
    return shown;
  }
  bool has(const std::string& name) const override {
    return name.starts_with(add_) && source_->has(inner(name));
  }
  Shape shape(const std::string& name) const override { return source_->shape(inner(name)); }
  std::optional<FileType> stored_type(const std::string& name) const override {
    return source_->stored_type(inner(name));
  }
  void read(const std::string& name, const Slice& slice, const Tensor& out) const override {
    source_->read(inner(name), slice, out);
  }
  std::string describe() const override { return source_->describe(); }
  std::string name_in_file(const std::string& name) const override {
    return source_->name_in_file(name.starts_with(add_) ? inner(name) : name);
  }
  std::vector<std::filesystem::path> files() const override { return source_->files(); }

 private:
  std::string inner(const std::string& name) const {
    if (!name.starts_with(add_)) throw InputError("{}: there is no tensor '{}'", describe(), name);
    return remove_ + name.substr(add_.size());
  }

  WeightSourcePtr source_;
  std::string remove_;
  std::string add_;
};

class CombinedSource : public WeightSource {
 public:
  explicit CombinedSource(std::vector<WeightSourcePtr> sources) : sources_(std::move(sources)) {
    for (const WeightSourcePtr& source : sources_) {
      for (const std::string& name : source->names()) {
        const auto [place, inserted] = owner_.emplace(name, source.get());
        if (!inserted)
          throw InputError("tensor '{}' is in two sources: {} and {}", name,
                           place->second->describe(), source->describe());
      }
    }
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const auto& [name, source] : owner_) all.push_back(name);
    return all;
  }
  bool has(const std::string& name) const override { return owner_.contains(name); }
  Shape shape(const std::string& name) const override { return owner(name).shape(name); }
  std::optional<FileType> stored_type(const std::string& name) const override {
    return owner(name).stored_type(name);
  }
  void read(const std::string& name, const Slice& slice, const Tensor& out) const override {
    owner(name).read(name, slice, out);
  }
  std::string name_in_file(const std::string& name) const override {
    return has(name) ? owner(name).name_in_file(name) : name;
  }
  std::string describe() const override {
    std::string text;
    for (const WeightSourcePtr& source : sources_)
      text += (text.empty() ? "" : " + ") + source->describe();
    return text;
  }
  std::vector<std::filesystem::path> files() const override {
    std::vector<std::filesystem::path> all;
    for (const WeightSourcePtr& source : sources_)
      for (const auto& file : source->files())
        if (std::find(all.begin(), all.end(), file) == all.end()) all.push_back(file);
    return all;
  }

 private:
  const WeightSource& owner(const std::string& name) const {
    const auto found = owner_.find(name);
    if (found == owner_.end()) throw InputError("{}: there is no tensor '{}'", describe(), name);
    return *found->second;
  }

  std::vector<WeightSourcePtr> sources_;
  std::map<std::string, const WeightSource*> owner_;
};

}  // namespace

std::optional<FileType> WeightSource::stored_type(const std::string&) const { return {}; }

Tensor WeightSource::read_whole(const Stream& stream, const std::string& name,
                                MemoryOwner owner) const {
  Tensor tensor = Tensor::empty(stream, shape(name), DType::kF32, owner);
  read(name, Slice{}, tensor);
  return tensor;
}

void WeightSource::read_shard(const std::string& name, const TensorShard& shard,
                              const Tensor& out) const {
  if (shard.axis < 0) return read(name, Slice{}, out);
  const int64_t extent = out.dim(shard.axis);
  const int64_t valid = std::clamp<int64_t>(shard.global_extent - shard.offset, 0, extent);
  if (valid == extent) return read(name, Slice{shard.axis, shard.offset, extent}, out);
  LYNCEUS_CHECK(shard.axis == 0, "'{}' is padded along axis {}", name, shard.axis);
  if (valid > 0) read(name, Slice{0, shard.offset, valid}, out.slice(0, valid));
  out.slice(valid, extent - valid).fill_zero();
}

WeightSourcePtr with_prefix(WeightSourcePtr source, std::string remove, std::string add) {
  return std::make_shared<PrefixedSource>(std::move(source), std::move(remove), std::move(add));
}

WeightSourcePtr combine(std::vector<WeightSourcePtr> sources) {
  return std::make_shared<CombinedSource>(std::move(sources));
}

bool matches_pattern(std::string_view text, std::string_view pattern) {
  // Greedy; on a mismatch it returns only to the last star.
  size_t t = 0;
  size_t p = 0;
  size_t star = std::string_view::npos;
  size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

void match_weights(const WeightSource& source, std::span<const ExpectedTensor> expected,
                   std::span<const std::string> ignored, const std::string& note) {
  Mismatches found;
  std::set<std::string> wanted;
  for (const ExpectedTensor& tensor : expected) {
    wanted.insert(tensor.name);
    const std::string name = source.name_in_file(tensor.name);
    if (!source.has(tensor.name))
      found.missing.push_back(name + " " + tensor.shape.to_string());
    else if (const Shape shape = source.shape(tensor.name); !(shape == tensor.shape))
      found.of_another_shape.push_back(fmt::format("{} expected {}, found {}", name,
                                                   tensor.shape.to_string(), shape.to_string()));
  }
  const std::vector<std::string> names = source.names();
  std::vector<std::string> in_file;
  for (const std::string& name : names) {
    in_file.push_back(source.name_in_file(name));
    const bool known = wanted.contains(name) ||
                       std::any_of(ignored.begin(), ignored.end(), [&](const std::string& pattern) {
                         return matches_pattern(name, pattern);
                       });
    if (!known) found.unexpected.push_back(in_file.back() + " " + source.shape(name).to_string());
  }
  if (found.count() == 0) return;
  std::string text = found.to_string();
  if (const std::string prefix = shared_prefix(in_file);
      found.missing.size() == expected.size() && !prefix.empty())
    text += fmt::format("; all {} names in the file begin with '{}'", in_file.size(), prefix);
  throw InputError("{}: {} tensor{} not as the model expects: {}{}", source.describe(),
                   found.count(), found.count() == 1 ? " is" : "s are", text, note);
}

}  // namespace lynceus::io

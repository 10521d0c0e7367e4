#include "io/weights/selected_weights.h"

#include <utility>

#include "core/error.h"

namespace lynceus::io {
namespace {

class SelectedSource : public WeightSource {
 public:
  SelectedSource(WeightSourcePtr source, std::map<std::string, std::string> inner, std::string note)
      : source_(std::move(source)), inner_(std::move(inner)), note_(std::move(note)) {}

  std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const auto& [shown, name] : inner_) all.push_back(shown);
    return all;
  }
  bool has(const std::string& name) const override { return inner_.contains(name); }
  Shape shape(const std::string& name) const override { return source_->shape(inner(name)); }
  std::optional<FileType> stored_type(const std::string& name) const override {
    return source_->stored_type(inner(name));
  }
  void read(const std::string& name, const Slice& slice, const Tensor& out) const override {
    source_->read(inner(name), slice, out);
  }
  std::string describe() const override {
    return note_.empty() ? source_->describe() : fmt::format("{} ({})", source_->describe(), note_);
  }
  std::string name_in_file(const std::string& name) const override {
    const auto found = inner_.find(name);
    return source_->name_in_file(found == inner_.end() ? name : found->second);
  }
  std::vector<std::filesystem::path> files() const override { return source_->files(); }

 private:
  const std::string& inner(const std::string& name) const {
    const auto found = inner_.find(name);
    if (found == inner_.end()) throw InputError("{}: there is no tensor '{}'", describe(), name);
    return found->second;
  }

  WeightSourcePtr source_;
  std::map<std::string, std::string> inner_;
  std::string note_;
};

}  // namespace

WeightSourcePtr selected(WeightSourcePtr source, std::map<std::string, std::string> inner_names,
                         std::string note) {
  return std::make_shared<SelectedSource>(std::move(source), std::move(inner_names),
                                          std::move(note));
}

}  // namespace lynceus::io

// ConfigVisitor: the fields of config structs, with their types, defaults and help texts; how a
// value is read from text and written back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace lynceus {

/// Collects the fields that config structs pass to it. Keys are "section.name", or "name" for
/// options of the whole command (--device). The value of a field when visited is its default.
class ConfigVisitor {
 public:
  /// Heading of the fields that follow, on the help page.
  void section(const std::string& name, const std::string& help);

  void field(const std::string& key, bool& value, const std::string& help);
  void field(const std::string& key, int& value, const std::string& help);
  void field(const std::string& key, int64_t& value, const std::string& help);
  void field(const std::string& key, uint64_t& value, const std::string& help);
  void field(const std::string& key, double& value, const std::string& help);
  void field(const std::string& key, std::string& value, const std::string& help);
  /// Written "auto" when absent.
  void field(const std::string& key, std::optional<int64_t>& value, const std::string& help);
  /// One of `choices`.
  void choice(const std::string& key, std::string& value, std::vector<std::string> choices,
              const std::string& help);
  /// Given once per element; a later layer replaces the earlier layer's list; a single empty value
  /// is the empty list.
  void list(const std::string& key, std::vector<std::string>& values, const std::string& help);

 private:
  friend class ConfigReader;
  using Target = std::variant<bool*, int*, int64_t*, uint64_t*, double*, std::string*,
                              std::optional<int64_t>*, std::vector<std::string>*>;
  struct Field {
    std::string key;
    std::string section;  // heading on the help page
    std::string help;
    std::vector<std::string> choices;  // empty: any value of the type
    Target target;
    std::string default_text;
    std::string origin = "default";
    std::vector<std::string> element_origins;  // of the elements of a list that was set
    int layer = 0;                             // the file or command line that set it last; 0: none

    bool is_list() const { return std::holds_alternative<std::vector<std::string>*>(target); }
    /// Whether spaces at the ends of a value are part of it.
    bool is_text() const {
      return choices.empty() && (is_list() || std::holds_alternative<std::string*>(target));
    }
    bool is_bool() const { return std::holds_alternative<bool*>(target); }
    std::vector<std::string> texts() const;
    /// Empty if `text` was assigned, else what was expected.
    std::string assign(const std::string& text, bool append) const;
    std::string expected() const;
    std::string value_name() const;  // on the help page
  };
  struct Section {
    std::string name;
    std::string help;
  };

  void add(const std::string& key, Target target, std::vector<std::string> choices,
           const std::string& help);

  std::vector<Section> sections_;
  std::vector<Field> fields_;
};

}  // namespace lynceus

// The config reader: INI files layered in the order given, then the command line; later wins.
//
// A config struct lives in the room that uses it and visits its own fields once; parser, help page,
// printed config and manifest all come from that visit:
//
//   struct TrainConfig {
//     int64_t steps = 1000;
//     std::string recompute = "none";
//     template <typename Visitor>
//     void visit(Visitor& v) {
//       v.section("train", "the training loop");
//       v.field("train.steps", steps, "length of the schedule, optimizer steps");
//       v.choice("train.recompute", recompute, {"none", "layer"}, "what backward recomputes");
//     }
//   };
//
//   TrainConfig train;
//   ConfigReader reader;
//   reader.add(train);
//   const CommandLine line = reader.read(arguments);  // UsageError lists every fault at once
//   if (line.help) fmt::print("{}", reader.help());
//
// Used by src/cli; config structs need this header only where they are read.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/config_faults.h"

namespace lynceus {

/// What a command line holds besides values of fields.
struct CommandLine {
  std::vector<std::string> config_files;  ///< --config FILE, in order
  std::vector<std::string> positionals;
  bool help = false;          ///< --help or -h: nothing was read, print help()
  bool print_config = false;  ///< --print-config: print() and leave
};

/// One value as manifests keep it. A list gives one entry an element, or one empty entry.
struct ConfigValue {
  std::string key;
  std::string value;
  std::string origin;  ///< "default", "configs/x.ini:12", "command line"

  bool operator==(const ConfigValue&) const = default;
};

/// Collects the fields that config structs show it. Keys are "section.name", or "name" for options
/// of the whole command (--device). The value a field has when visited is its default.
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
  /// Given once an element; a later layer replaces the earlier layer's list; an empty value alone
  /// stands for the empty list.
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
    int layer = 0;  // which file or command line set it last; 0: none

    bool is_list() const { return std::holds_alternative<std::vector<std::string>*>(target); }
    bool is_bool() const { return std::holds_alternative<bool*>(target); }
    std::vector<std::string> texts() const;
    /// Empty when `text` was taken, else what was expected.
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

/// Fills registered structs, which must outlive the reader. Faults (unknown key with the nearest
/// known one, value of the wrong type, unreadable file, missing argument) are collected and thrown
/// together.
class ConfigReader {
 public:
  template <typename Struct>
  void add(Struct& config) {
    config.visit(visitor_);
  }

  /// Arguments after the program's and the subcommand's name: reads the --config files, then
  /// the options, then check(). Forms: --key value, --key=value; a bool may stand bare; a list
  /// takes all arguments up to the next option; what follows "--" is positional.
  CommandLine read(const std::vector<std::string>& arguments);

  /// Adds one INI file as a layer. Faults wait for check().
  void read_file(const std::string& path);
  /// Sets one field as a layer of its own: what files or the world's size decide. A fault waits
  /// for check().
  void set(const std::string& key, const std::string& value, const std::string& origin);
  /// UsageError if one of `keys`, which the option `key` names, is none of ours.
  void check_keys(const std::string& key, const std::vector<std::string>& keys);
  /// Throws one UsageError that lists every fault so far.
  void check() { faults_.raise(); }

  /// Every key = value with its origin as a comment, keys without section first: an INI file that
  /// read_file() reads back to the same values, less the keys of `without`. Shows what the structs
  /// hold now.
  std::string print(const std::vector<std::string>& without = {}) const;
  /// The same as data, in the order of registration.
  std::vector<ConfigValue> values() const;
  /// The options in their groups with defaults, one line each.
  std::string help() const;
  /// Where the value of `key` comes from.
  const std::string& origin(const std::string& key) const;

 private:
  using Field = ConfigVisitor::Field;
  struct Option {
    std::string key;
    std::vector<std::string> values;
    bool missing = false;
  };

  CommandLine split(const std::vector<std::string>& arguments, std::vector<Option>& options);
  void read_line(const std::string& path, int line, const std::string& header,
                 const std::string& text, std::map<std::string, int>& seen);
  void apply(const std::string& key, const std::string& value, const std::string& origin);
  Field* find(std::string_view key);
  void fault(const std::string& message) { faults_.add(message); }
  std::string nearest(std::string_view key) const;
  void fault_unknown(const std::string& origin, const std::string& key);

  ConfigVisitor visitor_;
  ConfigFaults faults_;
  int layer_ = 0;
};

}  // namespace lynceus

// Layers INI files and the command line over the registered fields and shows the result.
//
// Boost.Program_options reads the INI grammar, but it reports no line numbers and stops at the
// first fault. So it gets one line at a time, after the header of that line's section.
#include "core/config/config.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options/errors.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>
#include <sstream>
#include <utility>

#include "core/config/line.h"
#include "core/error.h"
#include "core/home.h"
#include "core/resource.h"
#include "core/text/foreign_file.h"
#include "core/text/spelling.h"
#include "core/text/text_encoding.h"

namespace lynceus {
namespace {

constexpr uintmax_t kMaxFileBytes = 1 << 20;
/// Whether `text` has `key` as a word.
bool names_key(const std::string& text, const std::string& key) {
  const auto is_part = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-';
  };
  for (size_t at = 0; (at = text.find(key, at)) != std::string::npos; at += key.size()) {
    const size_t end = at + key.size();
    if ((at == 0 || !is_part(text[at - 1])) && (end == text.size() || !is_part(text[end])))
      return true;
  }
  return false;
}

std::string_view leaf_of(std::string_view key) { return key.substr(key.rfind('.') + 1); }

/// Reads a small text file; returns why it cannot be read, or an empty text.
std::string read_text(const std::string& path, std::string& text) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (error) return error.message();
  if (std::filesystem::is_directory(status)) return "it is a directory";
  if (std::filesystem::is_regular_file(status) &&
      std::filesystem::file_size(path, error) > kMaxFileBytes)
    return fmt::format("larger than {} bytes", kMaxFileBytes);
  // Non-blocking, because open() would wait until somebody writes to a named pipe.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) return std::strerror(errno);
  fcntl(descriptor, F_SETFL, 0);
  std::string reason;
  text.resize(kMaxFileBytes);
  size_t size = 0;
  for (ssize_t got = 1; got != 0 && size < text.size();) {
    got = ::read(descriptor, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) reason = std::strerror(errno);
    if (got < 0) break;
    size += static_cast<size_t>(got);
  }
  ::close(descriptor);
  text.resize(size);
  if (reason.empty() && text.empty() && std::filesystem::is_fifo(status))
    return "a pipe to which nobody writes";
  return reason;
}

/// "; did you mean tiny? The shipped configs are ...".
std::string known_configs(const std::string& name) {
  const std::vector<std::string> shipped = shipped_configs();
  std::vector<std::string> names = shipped;  // with and without their folder
  for (const std::string& config : shipped) names.push_back(config.substr(config.rfind('/') + 1));
  const std::string near = nearest_name(name, names);
  return fmt::format("{} shipped configs are {}",
                     near.empty() ? "; the" : fmt::format("; did you mean {}? The", near),
                     fmt::join(shipped, ", "));
}

}  // namespace

CommandLine ConfigReader::read(const std::vector<std::string>& arguments,
                               const std::function<void(ConfigFaults*)>& ranges) {
  std::vector<Option> options;
  CommandLine line = split(arguments, options);
  if (line.help) {
    faults_.clear();
    return line;
  }
  for (std::string& file : line.config_files) {
    file = find_config(expand_home(file)).string();
    read_file(file);
  }
  ++layer_;
  for (const Option& option : options) {
    if (option.missing) {
      fault(fmt::format("command line: --{} expects a value, found none", option.key));
      unread_keys_.insert(option.key);
    }
    for (const std::string& value : option.values) apply(option.key, value, "command line");
  }
  if (ranges) check_ranges(ranges);
  check();
  return line;
}

void ConfigReader::check_ranges(const std::function<void(ConfigFaults*)>& ranges) {
  if (lines_unread_) return;
  ConfigFaults found;
  ranges(&found);
  for (const std::string& text : found.all()) {
    const bool may_follow =
        std::any_of(unread_keys_.begin(), unread_keys_.end(),
                    [&](const std::string& key) { return names_key(text, key); });
    if (!may_follow) fault(text);
  }
}

CommandLine ConfigReader::split(const std::vector<std::string>& arguments,
                                std::vector<Option>& options) {
  CommandLine line;
  size_t next = 0;
  const auto value_follows = [&] {
    return next < arguments.size() && !arguments[next].starts_with("--");
  };
  while (next < arguments.size()) {
    const std::string& argument = arguments[next++];
    if (argument == "--") {
      line.positionals.insert(line.positionals.end(),
                              arguments.begin() + static_cast<std::ptrdiff_t>(next),
                              arguments.end());
      break;
    }
    if (argument == "-h" || argument == "--help") {
      line.help = true;
    } else if (argument == "--print-config") {
      line.print_config = true;
    } else if (!argument.starts_with("--")) {
      if (argument.size() > 1 && argument[0] == '-')
        fault(fmt::format("command line: unknown option '{}'; options begin with --", argument));
      else
        line.positionals.push_back(argument);
    } else {
      const size_t equals = argument.find('=');
      Option option{argument.substr(2, equals == std::string::npos ? equals : equals - 2), {}};
      const Field* field = find(option.key);
      if (equals != std::string::npos) {
        option.values = {argument.substr(equals + 1)};
      } else if (field != nullptr && field->is_bool()) {
        const bool spelled =
            value_follows() && (arguments[next] == "true" || arguments[next] == "false");
        option.values = {spelled ? arguments[next++] : "true"};
      } else if (value_follows()) {
        do {
          option.values.push_back(arguments[next++]);
        } while (field != nullptr && field->is_list() && value_follows());
      } else {
        option.missing = field != nullptr || option.key == "config";
        if (!option.missing) option.values = {""};
      }
      if (option.key == "config" && !option.missing)
        line.config_files.insert(line.config_files.end(), option.values.begin(),
                                 option.values.end());
      else
        options.push_back(std::move(option));
    }
  }
  return line;
}

void ConfigReader::read_file(const std::string& path) {
  std::string content;
  const bool lines_unread = std::exchange(lines_unread_, true);
  if (const std::string reason = read_text(path, content); !reason.empty()) {
    std::error_code ignored;
    const bool is_name = !path.ends_with(".ini") && !std::filesystem::exists(path, ignored);
    fault(fmt::format("{}: config file cannot be read: {}{}", path, reason,
                      is_name ? known_configs(path) : ""));
    return;
  }
  if (const char* encoding = wide_encoding(content)) {
    fault(fmt::format("{}: expected UTF-8, found {}", path, encoding));
    return;
  }
  if (const ForeignFormat* found = find_foreign(content); !content.empty() && found != nullptr) {
    fault(fmt::format("{} is {}; expected a config file", path, found->what));
    return;
  }
  lines_unread_ = lines_unread;
  ++layer_;
  std::map<std::string, std::string> seen;
  std::istringstream lines(content.substr(byte_order_mark(content)));
  std::string raw, header;
  for (int number = 1; std::getline(lines, raw); ++number) {
    const ConfigLine line = parse_config_line(raw);
    if (line.text.empty()) continue;
    if (line.text.front() == '[' && line.text.back() == ']')
      header = line.text;
    else
      read_line(fmt::format("{}:{}", path, number), header, line.text, line.quoted, seen);
  }
}

void ConfigReader::read_line(const std::string& place, const std::string& header,
                             const std::string& text, const std::optional<std::string>& quoted,
                             std::map<std::string, std::string>& seen) {
  namespace options = boost::program_options;
  try {
    std::istringstream stream(header + "\n" + text);
    const auto parsed = options::parse_config_file(stream, options::options_description(), true);
    for (const auto& option : parsed.options) {
      const std::string& key = option.string_key;
      const Field* field = find(key);
      const auto [earlier, first] = seen.emplace(key, place.substr(place.rfind(':') + 1));
      if (!first && field != nullptr && !field->is_list())
        fault(fmt::format("{}: {} is already set on line {}", place, key, earlier->second));
      else
        apply(key, quoted ? *quoted : option.value.empty() ? "" : option.value.front(), place);
    }
  } catch (const options::error&) {
    lines_unread_ = true;
    fault(fmt::format("{}: expected [section] or key = value, found '{}'", place, text));
  }
}

void ConfigReader::set(const std::string& key, const std::string& value,
                       const std::string& origin) {
  ++layer_;
  apply(key, value, origin);
}

void ConfigReader::apply(const std::string& key, const std::string& value,
                         const std::string& origin) {
  Field* field = find(key);
  if (field == nullptr) {
    fault_unknown(origin, key);
    return;
  }
  const std::string text = expand_home(field->is_text() ? value : trimmed(value));
  const std::string expected = field->assign(text, field->is_list() && field->layer == layer_);
  if (!expected.empty()) {
    fault(fmt::format("{}: {}: expected {}, found '{}'", origin, key, expected, text));
    unread_keys_.insert(key);
    return;
  }
  if (field->is_list()) {
    if (field->layer != layer_) field->element_origins.clear();
    if (!text.empty()) field->element_origins.push_back(origin);
  }
  field->origin = origin;
  field->layer = layer_;
}

void ConfigReader::fault_unknown(const std::string& origin, const std::string& key) {
  const std::string near = nearest(key);
  if (!near.empty()) unread_keys_.insert(near);
  fault(fmt::format("{}: unknown key '{}'{}", origin, key,
                    near.empty() ? "" : fmt::format("; the nearest known one is '{}'", near)));
}

void ConfigReader::check_keys(const std::string& key, const std::vector<std::string>& keys) {
  for (const std::string& named : keys)
    if (find(named) == nullptr) fault_unknown(key, named);
  check();
}

ConfigReader::Field* ConfigReader::find(std::string_view key) {
  for (Field& field : visitor_.fields_)
    if (field.key == key) return &field;
  return nullptr;
}

std::string ConfigReader::nearest(std::string_view key) const {
  std::string_view best;
  size_t best_distance = std::numeric_limits<size_t>::max();
  for (const Field& field : visitor_.fields_) {
    // A correct name in a wrong or missing section counts like one wrong letter.
    const size_t leaf = edit_distance(leaf_of(key), leaf_of(field.key));
    const size_t distance = std::min(edit_distance(key, field.key), 1 + 2 * leaf);
    if (distance < best_distance) {
      best_distance = distance;
      best = field.key;
    }
  }
  return is_near(key, best_distance) ? std::string(best) : "";
}

std::vector<ConfigValue> ConfigReader::values() const {
  std::vector<ConfigValue> result;
  for (const Field& field : visitor_.fields_) {
    std::vector<std::string> texts = field.texts();
    if (texts.empty()) texts = {""};
    for (size_t i = 0; i < texts.size(); ++i)
      result.push_back(
          {field.key, texts[i],
           i < field.element_origins.size() ? field.element_origins[i] : field.origin});
  }
  return result;
}

std::string ConfigReader::print(const std::vector<std::string>& without) const {
  // Keys without a section must come first in an INI file, so values are grouped by section.
  std::vector<std::string> order = {""};
  std::map<std::string, std::string> blocks;
  for (const ConfigValue& value : values()) {
    if (std::find(without.begin(), without.end(), value.key) != without.end()) continue;
    const size_t dot = value.key.find('.');
    const std::string section = dot == std::string::npos ? "" : value.key.substr(0, dot);
    if (std::find(order.begin(), order.end(), section) == order.end()) order.push_back(section);
    const std::string assignment =
        fmt::format("{} = {}", dot == std::string::npos ? value.key : value.key.substr(dot + 1),
                    value_in_file(value.value));
    blocks[section] += fmt::format("{:<40}  # {}\n", assignment, value.origin);
  }
  std::string text;
  for (const std::string& section : order) {
    if (!blocks.contains(section)) continue;
    if (!text.empty()) text += '\n';
    if (!section.empty()) text += fmt::format("[{}]\n", section);
    text += blocks.at(section);
  }
  return text;
}

std::string ConfigReader::help() const {
  std::string text = "Options:\n";
  text +=
      fmt::format("  {:<44} {}\n", "--config FILE",
                  "an INI file, or the name of a shipped one (tiny, stage/pretrain-224); may be "
                  "repeated, later files override earlier ones");
  text +=
      fmt::format("  {:<44} {}\n", "--print-config", "print every value with its origin and exit");
  text += fmt::format("  {:<44} {}\n", "--help", "print this page");
  std::vector<std::string> done;
  const auto add_section = [&](const std::string& name) {
    if (std::find(done.begin(), done.end(), name) != done.end()) return;
    done.push_back(name);
    for (const Field& field : visitor_.fields_) {
      if (field.section != name) continue;
      const std::string shown = field.default_text.empty() ? "empty" : field.default_text;
      text += fmt::format("  {:<44} {} (default: {})\n",
                          fmt::format("--{} {}", field.key, field.value_name()), field.help, shown);
    }
  };
  add_section("");
  for (const ConfigVisitor::Section& section : visitor_.sections_) {
    if (std::find(done.begin(), done.end(), section.name) == done.end())
      text += fmt::format("\n[{}] {}\n", section.name, section.help);
    add_section(section.name);
  }
  return text;
}

const std::string& ConfigReader::origin(const std::string& key) const {
  for (const Field& field : visitor_.fields_)
    if (field.key == key) return field.origin;
  throw InternalError("config key {} is not registered", key);
}

}  // namespace lynceus

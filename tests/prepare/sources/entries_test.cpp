// Every entry of an input is in a sample, in a rejected row or passed over: thousands of generated
// inputs with random damage. What the accepted rows must contain is computed here by other means.
#include <random>
#include <regex>
#include <set>

#include "prepare/sources/folder.h"
#include "prepare/sources/jsonl.h"
#include "prepare/sources/webdataset.h"
#include "tests/prepare/sources/source_fixture.h"
#include "tests/prepare/sources/tar_fixture.h"

namespace lynceus::prepare {
namespace {

namespace fs = std::filesystem;

constexpr int kInputs = 800;  // of each source

/// A sample as text: key, caption, digest of its picture.
using Samples = std::vector<std::string>;

class SourceEntriesTest : public SourceTest {
 protected:
  struct Found {
    Samples samples;
    int64_t rows = 0;
    int64_t entries = 0;  // of rows and passed over
    SourceAccount account;
  };
  static std::string sample_text(const std::string& key, const std::string& caption,
                                 const std::string& picture) {
    return fmt::format("{}|{}|{}", key, caption, std::hash<std::string>()(picture));
  }
  static Found read(Source& source) {
    Found found;
    source.read(0, [&](const SourceRow& row) {
      ++found.rows;
      found.entries += row.entries;
      EXPECT_NE(row.reject.empty(), row.samples.empty());
      for (const io::Sample& sample : row.samples)
        found.samples.push_back(
            sample_text(sample.key, sample.turns.back().text, sample.media.at(0)));
    });
    found.account = source.account();
    for (const auto& [kind, count] : found.account.passed_over) found.entries += count;
    return found;
  }
  size_t below(size_t n) { return random_() % n; }
  template <typename T>
  const T& one_of(const std::vector<T>& all) {
    return all[below(all.size())];
  }

  const std::string a_ = bytes("images/a.jpg");
  const std::string b_ = bytes("images/b.jpg");
  const std::vector<std::string> pictures_ = {a_, a_, b_, b_, "no picture", a_.substr(0, 100)};
  const std::vector<std::string> texts_ = {"grey", "dark \xc3\xbc", "a, \"b\"", " \n",
                                           "\xff\xfe x"};
  std::mt19937 random_{11};
};

bool is_good_text(const std::string& text) { return text != " \n" && text != "\xff\xfe x"; }

class SourceEntriesTarTest : public SourceEntriesTest {
 protected:
  using Kind = io::EntryKind;
  struct Entry {
    std::string name;
    std::string bytes;
    Kind kind;
  };

  std::vector<Entry> archive() {
    std::vector<Entry> entries;
    const auto add = [&](const std::string& name, const std::string& bytes,
                         Kind kind = Kind::kFile) {
      entries.push_back({name, bytes, kind});
    };
    for (size_t row = below(8); row > 0; --row) {
      const std::string key = one_of<std::string>({"", "d.1/", "x y/"}) + std::to_string(below(9));
      if (below(8) > 0)
        add(key + one_of<std::string>({".jpg", ".JPEG", ".png"}), one_of(pictures_));
      if (below(12) == 0) add(key + ".webp", a_);
      if (below(6) > 0) add(key + one_of<std::string>({".txt", ".TXT"}), one_of(texts_));
      if (below(3) == 0) add(key + ".json", one_of(jsons_));
      if (below(9) == 0) add(key + ".v2.jpg", a_);
      if (below(9) == 0) add(key + ".cls", "3");
      if (below(12) == 0) add(key + ".txt", "x", one_of<Kind>({Kind::kLink, Kind::kDevice}));
      if (below(5) == 0) add(one_of<std::string>({"._1.jpg", ".x", "README", "d/._2.txt"}), "x");
      if (below(8) == 0) add("folder", "", Kind::kFolder);
    }
    if (entries.size() > 1 && below(5) == 0)
      std::swap(entries[below(entries.size())], entries[below(entries.size())]);
    return entries;
  }

  const std::string two_ = R"({"captions": ["one", "two"], "caption": null, "width": 6})";
  const std::string one_ = R"({"captions": null, "caption": "one"})";
  const std::string unread_ = R"({"caption": "one", "conversations": [{"value": "x"}]})";
  const std::string metadata_ = R"({"similarity": NaN})";
  const std::vector<std::string> jsons_ = {two_, two_, two_, two_, one_, unread_, metadata_};

  std::string written(const std::vector<Entry>& entries, const std::string& name) const {
    {
      TarWriter tar(directory_ / name);
      for (const Entry& entry : entries) {
        if (entry.kind == Kind::kFile) tar.file(entry.name, entry.bytes);
        if (entry.kind == Kind::kLink) tar.symlink(entry.name, "target");
        if (entry.kind == Kind::kDevice) tar.device(entry.name);
        if (entry.kind == Kind::kFolder) tar.folder(entry.name);
      }
    }
    return bytes(name);
  }

  /// The rule of the library webdataset, on one archive.
  Samples expected(const std::vector<Entry>& entries) const {
    static const std::regex kName("^((?:.*/|)[^.]+)[.]([^/]*)$");
    static const std::regex kKnown("(.*[.])?(jpg|jpeg|png|webp|txt|json)", std::regex::icase);
    std::vector<std::pair<std::string, std::multimap<std::string, std::string>>> groups;
    for (const Entry& entry : entries) {
      std::smatch match;
      const size_t base = entry.name.rfind('/') + 1;  // 0 without a slash
      if (entry.name[base] == '.') continue;          // hidden files are no rows here
      if (entry.kind == Kind::kFolder || !std::regex_match(entry.name, match, kName)) continue;
      const std::string key = match[1];
      std::string type = match[2];
      if (!std::regex_match(type, kKnown)) continue;
      if (groups.empty() || groups.back().first != key) groups.push_back({key, {}});
      for (char& c : type) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      if (type == "jpeg" || type == "png" || type == "webp") type = "jpg";
      if (entry.kind == Kind::kFile) groups.back().second.emplace(type, entry.bytes);
    }
    Samples samples;
    for (const auto& [key, members] : groups) {
      const bool single =
          members.count("jpg") == 1 && members.count("txt") <= 1 && members.count("json") <= 1;
      if (!single || members.count("txt") + members.count("json") == 0) continue;
      const std::string picture = members.find("jpg")->second;
      if (picture != a_ && picture != b_) continue;
      const auto json = members.find("json");
      if (json != members.end() && json->second == unread_) continue;
      const auto text = members.find("txt");
      const bool is_text =
          text != members.end() && (text->second != " \n" || json == members.end());
      if (is_text) {
        if (is_good_text(text->second)) samples.push_back(sample_text(key, text->second, picture));
      } else if (json->second == two_) {
        samples.push_back(sample_text(key + "#1", "one", picture));
        samples.push_back(sample_text(key + "#2", "two", picture));
      } else if (json->second == one_) {
        samples.push_back(sample_text(key, "one", picture));
      }
    }
    return samples;
  }
};

TEST_F(SourceEntriesTarTest, Webdataset) {
  size_t accepted = 0;
  for (int input = 0; input < kInputs; ++input) {
    const std::string part = below(2) == 0 ? "part.tar" : "part.gz";
    std::string whole;
    Samples samples;
    int64_t entries = 0;
    for (size_t archives = 1 + below(5) / 3; archives > 0; --archives) {
      const std::vector<Entry> made = archive();
      entries += std::ssize(made);
      whole += written(made, part);
      for (const std::string& sample : expected(made)) samples.push_back(sample);
    }
    if (part == "part.tar" && below(6) == 0) {
      whole += std::string(1 + below(2000), 'j');
      ++entries;
    }
    fs::remove(directory_ / "x.tar");
    WebdatasetSource source({.file = write("x.tar", whole)});
    const Found found = read(source);
    ASSERT_EQ(found.samples, samples) << input;
    ASSERT_EQ(found.entries, entries) << input;
    ASSERT_EQ(found.account.entries, entries) << input;
    accepted += samples.size();

    for (int flip = 0; flip < 2; ++flip) whole[below(whole.size())] = static_cast<char>(below(256));
    if (below(3) == 0) whole.resize(below(whole.size()));
    fs::remove(directory_ / "x.tar");
    write("x.tar", whole);
    input_error([&] {
      WebdatasetSource damaged({.file = directory_ / "x.tar"});
      const Found left = read(damaged);
      EXPECT_EQ(left.entries, left.account.entries) << input;
    });
  }
  EXPECT_GT(accepted, kInputs);
}

TEST_F(SourceEntriesTest, Tables) {
  size_t accepted = 0;
  for (int input = 0; input < kInputs; ++input) {
    const bool csv = input % 2 == 0;
    const char separator = csv ? ',' : '\t';
    const std::string end = one_of<std::string>({"\n", "\r\n"});
    const auto cell = [&](const std::string& text) -> std::string {
      if (!csv) return text;
      std::string quoted = "\"";
      for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
      const bool must = text.find_first_of(",\"\n") != std::string::npos;
      return must || below(2) == 0 ? quoted + "\"" : text;
    };
    std::string text = "id" + std::string(1, separator) + "image" + separator + "caption" + end;
    Samples samples;
    int64_t rows = 0;
    for (size_t row = below(8); row > 0; --row, ++rows) {
      const std::string id = std::to_string(below(1000));
      const std::string name = one_of<std::string>({"images/a.jpg", "images/b.jpg", "absent.jpg"});
      std::string caption = one_of<std::string>({"grey", "a, \"b\"", "dark \xc3\xbc", "\xff", " "});
      if (csv && caption != " " && below(5) == 0) caption += "x\ny";
      const bool is_good =
          name != "absent.jpg" && caption.find('\xff') == std::string::npos && caption != " ";
      std::string line = cell(id) + separator + cell(name) + separator + cell(caption);
      const size_t damage = caption.find('\n') == std::string::npos ? below(12) : 12;
      if (damage == 0) line += separator;
      if (damage == 1) line = cell(id);
      if (damage == 2) line = "\"" + id + "\"x" + separator + line;
      if (damage > 2 && is_good) samples.push_back(sample_text(id, caption, bytes(name)));
      text += line + end;
      if (below(6) == 0) text += end;  // a blank line
    }
    if (csv && below(6) == 0) {
      text += "1,images/a.jpg,\"never closed" + end;
      ++rows;
    }
    const std::string file = csv ? "x.csv" : "x.tsv";
    fs::remove(directory_ / file);
    JsonlSource source({.file = write(file, text)});
    const Found found = read(source);
    ASSERT_EQ(found.samples, samples) << input << "\n" << text;
    ASSERT_EQ(found.rows, rows) << input << "\n" << text;
    accepted += samples.size();
  }
  EXPECT_GT(accepted, kInputs);
}

TEST_F(SourceEntriesTest, Folders) {
  size_t accepted = 0;
  for (int input = 0; input < kInputs; ++input) {
    const std::string folder = fmt::format("f{}", input);
    std::map<std::string, std::string> files;  // the folder as it will be
    for (size_t row = below(8); row > 0; --row) {
      const std::string stem =
          one_of<std::string>({"", "d.1/", "x \xc3\xbc/"}) + std::to_string(below(20));
      if (below(8) > 0)
        files[stem + one_of<std::string>({".jpg", ".JPG", ".png"})] = one_of(pictures_);
      if (below(8) > 0) files[stem + one_of<std::string>({".txt", ".caption"})] = one_of(texts_);
      if (below(6) == 0) files[stem + ".json"] = "{}";
      if (below(6) == 0) files[one_of<std::string>({"._x.jpg", ".x", "README"})] = "x";
    }
    fs::create_directories(directory_ / folder);
    for (const auto& [name, content] : files) {
      fs::create_directories((directory_ / folder / name).parent_path());
      write(folder + "/" + name, content);
    }
    Samples samples;
    for (const auto& [name, content] : files) {
      const bool is_picture =
          name.ends_with(".jpg") || name.ends_with(".JPG") || name.ends_with(".png");
      if (!is_picture || name.starts_with('.') || (content != a_ && content != b_)) continue;
      const std::string stem = name.substr(0, name.size() - 4);
      auto text = files.find(stem + ".txt");
      const auto other = files.find(stem + ".caption");
      if (text == files.end() || (text->second == " \n" && other != files.end())) text = other;
      if (text != files.end() && is_good_text(text->second))
        samples.push_back(sample_text(name, text->second, content));
    }
    FolderSource source({.folder = directory_ / folder});
    const Found found = read(source);
    ASSERT_EQ(found.samples, samples) << input;
    ASSERT_EQ(found.entries, std::ssize(files)) << input;
    ASSERT_EQ(found.account.entries, std::ssize(files)) << input;
    accepted += samples.size();
    fs::remove_all(directory_ / folder);
  }
  EXPECT_GT(accepted, kInputs / 2);
}

}  // namespace
}  // namespace lynceus::prepare

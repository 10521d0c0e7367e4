// A tar archive of samples in the folder of the test, and the rows that are read from it.
#pragma once

#include "prepare/sources/webdataset.h"
#include "tests/prepare/sources/source_fixture.h"
#include "tests/prepare/sources/tar_fixture.h"

namespace lynceus::prepare {

class SourceWebdatasetTest : public SourceTest {
 protected:
  std::string a() const { return bytes("images/a.jpg"); }
  std::string b() const { return bytes("images/b.jpg"); }
  std::filesystem::path tar() const { return directory_ / "x.tar"; }
  std::vector<SourceRow> read(int64_t skip = 0) const {
    return rows(WebdatasetSource({.file = tar()}), skip);
  }
};

}  // namespace lynceus::prepare

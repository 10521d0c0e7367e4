// Values in scripts: words of bash and values of #SBATCH lines.
#include "slurm/shell.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lynceus::slurm {
namespace {

TEST(Shell, QuotesWhatAShellWouldRead) {
  EXPECT_EQ(shell_word("runs/a-1.b_c:2,d=e%f+g@h"), "runs/a-1.b_c:2,d=e%f+g@h");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("a b"), "'a b'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  for (const char* text : {"$x", "`x`", "*", "?", "[a]", "~", "#", "\\", "\"", "!", ";", "&", "|",
                           "<", ">", "(", "{a,b}", "\xc3\xa9"})
    EXPECT_EQ(shell_word(text), std::string("'") + text + "'");
  EXPECT_EQ(shell_array({}), "()");
  EXPECT_EQ(shell_array({"a", "b c"}), "(a 'b c')");
}

TEST(Shell, FindsWhatCannotStandInAScript) {
  EXPECT_TRUE(fits_script("a 'b' $c"));
  EXPECT_FALSE(fits_script("a\nb"));
  EXPECT_FALSE(fits_script("\x1b[0m"));
  EXPECT_TRUE(fits_directive("[rack1|rack2]&gpu*2"));
  for (const char* text :
       {"", "a b", "a\n#SBATCH --x", "a'b", "a\"b", "a#b", "$a", "a;b", "\xc3\xa9"})
    EXPECT_FALSE(fits_directive(text)) << text;
}

TEST(Shell, SplitsAtCommas) {
  EXPECT_THAT(split_at_commas("a,b"), testing::ElementsAre("a", "b"));
  EXPECT_THAT(split_at_commas(",a,"), testing::ElementsAre("", "a", ""));
  EXPECT_THAT(split_at_commas(""), testing::ElementsAre(""));
}

}  // namespace
}  // namespace lynceus::slurm

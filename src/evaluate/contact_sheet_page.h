// The page of the contact sheet. @TITLE@, @SCORES@, @PROTOCOL@ and @ITEMS@ stand for the HTML that
// contact_sheet.cpp writes.
#pragma once

namespace lynceus::evaluate {

constexpr const char* kContactSheetPage = R"page(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>@TITLE@</title>
<style>
:root { --line: #d5dae1; --right: #1d7a3a; --wrong: #b3261e; --quiet: #5b6675; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 84rem; padding: 1rem 1.2rem 3rem; background: #eef1f5;
       font: 15px/1.45 system-ui, sans-serif; color: #1c2430; }
h1 { font-size: 1.35rem; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .6rem; }
table { border-collapse: collapse; background: #fff; margin: .6rem 0; }
th, td { border: 1px solid var(--line); padding: .25rem .7rem; text-align: left; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
details { margin: .6rem 0; } pre { background: #fff; border: 1px solid var(--line); padding: .6rem; overflow-x: auto; }
.show { margin-right: .3rem; } label { margin-right: 1.2rem; cursor: pointer; }
#right:checked ~ main .wrong, #right:checked ~ main .open,
#wrong:checked ~ main .right, #wrong:checked ~ main .open { display: none; }
.items { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .8rem; }
figure { margin: 0; background: #fff; border: 1px solid var(--line); border-top: .3rem solid var(--quiet); border-radius: .4rem;
         padding: .6rem; overflow-wrap: anywhere; }
figure.right { border-top-color: var(--right); } figure.wrong { border-top-color: var(--wrong); }
figure img { max-width: 100%; min-width: 6rem; height: auto; }
figure p { margin: .35rem 0 0; white-space: pre-wrap; }
.question { font-weight: 600; } .reference, .mark { color: var(--quiet); }
.right .mark { color: var(--right); } .wrong .mark { color: var(--wrong); }
</style>
</head>
<body>
<h1>@TITLE@</h1>
@SCORES@
<details><summary>protocol</summary><pre>@PROTOCOL@</pre></details>
<input class="show" type="radio" name="show" id="all" checked><label for="all">all</label>
<input class="show" type="radio" name="show" id="right"><label for="right">right</label>
<input class="show" type="radio" name="show" id="wrong"><label for="wrong">wrong</label>
<main>
@ITEMS@</main>
</body>
</html>
)page";

}  // namespace lynceus::evaluate

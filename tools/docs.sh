#!/usr/bin/env bash
# tools/docs.sh: the documentation as a site in .ansible/docs/site. Warnings, such as of a link to nowhere, are errors.
set -euo pipefail
cd "$(dirname "$0")/.."
build=.ansible/docs
rm -rf "$build"
mkdir -p "$build/source/collection"

# At the same places as in the checkout, so that every link between pages leads to the same page.
git ls-files -z --cached --others --exclude-standard -- '*.md' docs LICENSE requirements.txt |
  xargs -0 cp --parents --target-directory "$build/source"
cp tools/docs/{conf.py,index.rst,site.css} "$build/source"
python tools/docs/playbooks.py >"$build/source/playbooks.md"
antsibull-docs collection --use-current --squash-hierarchy --fail-on-error --dest-dir "$build/source/collection" corpv3.service_mesh

sphinx-build --quiet --nitpicky --fail-on-warning --keep-going --doctree-dir "$build/doctrees" "$build/source" "$build/site"
echo "docs: $build/site/index.html"

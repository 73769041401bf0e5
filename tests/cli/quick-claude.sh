#!/bin/sh
# Stands in for claude, and starts in a tenth of its time; for its version not even Node is started.
if [ "$1" = --version ]; then
  echo '2.1.197 (Claude Code)'
else
  exec node "${0%/*}/quick-claude.mjs" "$@"
fi

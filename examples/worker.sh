#!/bin/sh
# A worker for `supervisor --protocol lines`, for any POSIX shell: it squares numbers.
#
#     seq 1000 | supervisor --protocol lines -- sh examples/worker.sh
#
# Copy it and change `work`. It gets one line for each item, and has to print exactly one line for each.

# $1 is the item. What it prints on stderr is shown; its stdin is empty, since the items come on that of the worker.
work() {
    case $1 in
    '' | *[!0-9]*) echo "not a number: $1" ;;
    *) echo "$(($1 * $1))" ;;
    esac
}

while IFS= read -r item; do
    # Several lines become one, and none becomes an empty one.
    work "$item" </dev/null | tr '\n' ' ' | sed 's/ $//'
    echo
done

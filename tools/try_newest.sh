#!/usr/bin/env bash
# Installs the newest versions of everything in place of the pinned ones, runs the quick tests, and says what breaks.
#
#   tools/try_newest.sh [--torch REQUIREMENT] [--venv DIR] [-- options of pytest]
#
# PyTorch keeps its pinned version unless --torch names another one (such as --torch torch): each of its builds is a
# download of gigabytes, and which build fits is a matter of the machine. MMPose goes in with --no-deps, as always: its
# metadata asks for chumpy, which does not build, for torchvision, and for xtcocotools, whose wheel needs NumPy 1
# (requirements/mmpose.txt). Nothing in the project's own .venv is touched. The report is written to DIR/newest.txt.
# The exit status is 0 where nothing broke, and 1 where something did.
set -euo pipefail
cd "$(dirname "$0")/.."

torch=$(grep -v '^#' requirements/torch.txt)
venv=.venv-newest
while [ $# -gt 0 ]; do
    case $1 in
        --torch) torch=$2; shift 2 ;;
        --venv) venv=$2; shift 2 ;;
        --) shift; break ;;
        -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "error: unknown option $1; tools/try_newest.sh --help lists what there is" >&2; exit 2 ;;
    esac
done

names() { sed -e 's/#.*//' -e 's/[=<>~! ].*//' "$@" | grep -v '^$'; } # what a requirements file asks for, at any version
report=$venv/newest.txt
broken=0

echo "Making $venv with $torch and the newest version of everything else ..."
"${PYTHON:-python3}" -m venv --clear "$venv"
pip=("$venv/bin/pip" --disable-pip-version-check)
: > "$report"
"${pip[@]}" install -qq "$torch"
"$venv/bin/python" -c "import torch; print('torch==' + torch.__version__.partition('+')[0])" 2> /dev/null > "$venv/kept.txt"
mapfile -t wanted < <(names requirements/runtime.txt requirements/dev.txt requirements/deploy.txt)
if ! "${pip[@]}" install -qq --upgrade -c "$venv/kept.txt" "${wanted[@]}" 2> "$venv/pip.txt"; then
    broken=1
    { echo 'Not all newest versions can be installed together; each alone:'; tail -n 3 "$venv/pip.txt"; } >> "$report"
    for name in "${wanted[@]}"; do
        "${pip[@]}" install -qq --upgrade -c "$venv/kept.txt" "$name" 2> "$venv/pip.txt" ||
            { echo "  $name cannot be installed:"; tail -n 2 "$venv/pip.txt"; } >> "$report"
    done
fi
"${pip[@]}" install -qq --upgrade --no-deps "$(names requirements/mmpose.txt)"
"${pip[@]}" install -qq --no-deps --no-build-isolation -e . 2> "$venv/pip.txt" || "${pip[@]}" install -qq --no-deps -e .

{
    echo 'Newer than pinned (pinned -> installed):'
    "${pip[@]}" list --format=freeze > "$venv/installed.txt"
    cat requirements/{torch,runtime,dev,deploy,mmpose}.txt | grep '==' | while IFS= read -r pin; do
        name=${pin%%==*}
        have=$(grep -i -E "^${name//[-_]/[-_]}==" "$venv/installed.txt" | head -n 1 || true)
        have=${have%%+*} # without the build, as in 2.13.0+cpu
        [ "${have#*==}" = "${pin#*==}" ] || echo "  $name ${pin#*==} -> ${have#*==}"
    done
    echo 'Requirements that contradict each other, by pip check (chumpy, torchvision and xtcocotools are expected):'
    "${pip[@]}" check 2>&1 | sed 's/^/  /' || true
} >> "$report"

echo 'Running the quick tests ...'
if ! "$venv/bin/python" -m pytest -q -n "${JOBS:-2}" -m 'not slow' "$@" > "$venv/tests.txt" 2>&1; then
    broken=1
    { echo 'Tests that break:'; grep -E '^(FAILED|ERROR)' "$venv/tests.txt" || tail -n 20 "$venv/tests.txt"; } >> "$report"
fi
tail -n 1 "$venv/tests.txt" >> "$report"
cat "$report"
[ "$broken" = 0 ] && echo 'Nothing breaks.'
exit "$broken"

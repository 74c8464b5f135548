#!/usr/bin/env python3
"""Makes NotoSansSC.ttf out of Noto Sans SC Regular, with fonttools.

    subset.py NotoSansSC_400Regular.ttf NotoSansSC.ttf

Kept: the 8,105 characters of the 通用规范汉字表 (the Unihan database's kTGH; names
have been registered in these since 2013), all of GBK (names that are older, and
traditional ones), Latin with the letters of Vietnamese, punctuation and signs.
Left out: what lays out text in columns, substitutes or kerns, for labels do not.
"""
import bz2
import glob
import sys

from fontTools import subset
from fontTools.ttLib import TTFont

wanted = {*range(0x20, 0x250), *range(0x1E00, 0x1F00), *range(0x2000, 0x20D0), *range(0x2100, 0x2600)}
wanted |= {*range(0x2700, 0x27C0), *range(0x3000, 0x3020), *range(0xFF00, 0xFFF0)}
for name in glob.glob("/usr/share/unicode/Unihan*.bz2"):  # Debian: unicode-data
    for line in bz2.open(name, "rt", encoding="utf-8"):
        fields = line.split("\t")
        if len(fields) > 2 and fields[1] == "kTGH":
            wanted.add(int(fields[0][2:], 16))
for lead in range(0x81, 0xFF):
    for trail in range(0x40, 0xFF):
        try:
            wanted.add(ord(bytes([lead, trail]).decode("gbk")))
        except UnicodeDecodeError:
            pass

font = TTFont(sys.argv[1])
options = subset.Options()
options.layout_features = []
options.hinting = False
options.glyph_names = False
options.notdef_outline = True
options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 7, 13, 14]
options.drop_tables += ["vmtx", "vhea", "BASE", "GDEF", "GPOS", "GSUB", "STAT", "gasp"]
subsetter = subset.Subsetter(options)
subsetter.populate(unicodes=wanted & set(font.getBestCmap()))
subsetter.subset(font)
font.save(sys.argv[2])

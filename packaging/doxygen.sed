# Our comments as Doxygen reads them: the first one of a file, those in front of a declaration, those behind one.
1s|^/\* ([a-z_]+\.h): |/** @file \1\
 * |
/^ *\/\* ----/b
s|^( *)/\* |\1/** |
s|([;,}]) +/\* |\1 /**< |

/* networks.h: the networks of folder networks/, which are part of the program. */
#ifndef TGB_NETWORKS_H
#define TGB_NETWORKS_H

typedef struct {
    const char *name; /* of the file, without .txt */
    const char *text; /* its layers, as tgl_network_plan takes them */
} tgb_network;

extern const tgb_network tgb_networks[]; /* ends with a row without name */

#endif

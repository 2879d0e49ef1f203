#include "studies/command/commands.h"

int main(int argc, char** argv) {
  return absorb::command_line(argc, argv);
}

/** How a command ends, for scripts and CI. */
export const exitCodes = {
  ok: 0,
  /** The command did its work and found something that should not be. */
  found: 1,
  /** Wrong usage, or a file that can't be read or does not compile: nothing was done. */
  usage: 2,
  /** An invariant of Handrail itself was broken: a bug in Handrail, not in what it was given. */
  violation: 3,
  /** A bug in the command. */
  internal: 70,
} as const

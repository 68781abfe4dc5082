/** What the demo understands, and what it says to the rest. */
import { describe, expect, it } from "vitest"
import { readArguments, UsageError } from "../../examples/pr-review/arguments.ts"

describe("the demo's arguments", () => {
  it("are a variant, a change, a repository and a folder, all of them optional", () => {
    expect(readArguments([])).toEqual({ variant: "normal" })
    expect(readArguments(["--kill"])).toEqual({ variant: "kill" })
    expect(readArguments(["a.diff", "--contend", "--out", "here"])).toEqual({
      variant: "contend",
      target: "a.diff",
      out: "here",
    })
    expect(readArguments(["--http", "--crash"])).toEqual({ variant: "crash", http: true })
    expect(readArguments(["--repo=there", "HEAD~2..HEAD"])).toEqual({
      variant: "normal",
      target: "HEAD~2..HEAD",
      repo: "there",
    })
  })

  it("ask for help by --help and -h", () => {
    expect(readArguments(["--help"])).toBeUndefined()
    expect(readArguments(["-h", "--kill"])).toBeUndefined()
  })

  it.each([
    [["--bogus"], "There is no option --bogus."],
    [["-x"], "There is no option -x."],
    [["--kill=now"], "--kill takes no value."],
    [["--repo"], "--repo needs a directory."],
    [["--repo", "--kill"], "--repo needs a directory."],
    [["--out="], "--out needs a directory."],
    [["--kill", "--crash"], "Choose one of --crash and --kill."],
    [["a.diff", "b.diff"], "One change at a time, but there are a.diff and b.diff."],
  ])("that make no sense are refused: %s", (args, message) => {
    const read = () => readArguments(args)
    expect(read).toThrow(UsageError)
    expect(read).toThrow(message)
  })
})

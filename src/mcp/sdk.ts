/** The official MCP SDK, which is an optional peer: whoever wants `handrail mcp` installs it. */
import { createRequire } from "node:module"

export const sdkPackage = "@modelcontextprotocol/sdk"

/** Whether the SDK is there. Ask before anything else of this folder is loaded, which imports it. */
export const isSdkInstalled = (): boolean => {
  try {
    createRequire(import.meta.url).resolve(`${sdkPackage}/server/index.js`)
    return true
  } catch {
    return false
  }
}

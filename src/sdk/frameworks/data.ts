/**
 * What the contracts look into: a tool's input as JSON, whatever a schema has made of what the model wrote. What has
 * no JSON comes back as it is, and is refused where it is admitted.
 */
export const asData = (input: unknown): unknown => {
  try {
    const text: string | undefined = JSON.stringify(input)
    return text === undefined ? {} : JSON.parse(text)
  } catch {
    return input
  }
}

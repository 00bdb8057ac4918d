/** The JSON of the server's routes and of the nodes' results, as written by nodes/server/, nodes/library/ and the nodes. */

declare namespace Gen5 {
  /** In bytes. */
  type Progress = { done: number; total: number }
  type Size = { width?: number | null; height?: number | null }
  type Drift = { component: string; stored: string | null; current: string | null; kind?: string }
  type Signature = {
    key_id: string
    state: "valid" | "invalid" | "unchecked"
    /** Why it is invalid or was not checked. */
    reason: string
    /** The key's name in the user's list; null if the key is not in it. */
    comment: string | null
    /** Why it is unknown whether the key is trusted. */
    problem?: "unusable_list" | null
  }
  type TrustWord = "unsigned" | "signed" | "trusted" | "invalid" | "unchecked"
  type Trust = { word: TrustWord; signatures: Signature[] }
  type Latent = { name: string; shape: number[]; dtype: string; orig_dtype?: string | null; size_bytes: number }
  type Settings = {
    seed?: string | null
    steps?: number | null
    cfg?: number | null
    sampler?: string | null
    scheduler?: string | null
    denoise?: number | null
    model_name?: string | null
  }
  type Pass = {
    index: number
    seed: string | null
    steps?: number | null
    start_step?: number | null
    end_step?: number | null
    cfg?: number | null
    denoise?: number | null
    sampler_name?: string | null
    scheduler?: string | null
    node_id?: string | null
    class_type?: string | null
    model_name?: string | null
    positive?: string | null
    negative?: string | null
    add_noise?: boolean
    recorded?: boolean
    step_noise?: boolean
    step_noise_reason?: string | null
    loras?: ([string, number | null] | string)[]
  }

  /** The response of `GET /gen5/file`. */
  type Facts = Settings &
    Size & {
      name?: string
      mtime?: number
      size_bytes: number
      root: string
      version: string
      sealed: boolean
      carrier?: boolean
      trust?: Trust
      date?: string | null
      batch_size?: number | null
      prompt?: string
      negative?: string
      tags?: string[]
      noise_source?: string | null
      reason?: string | null
      passes: Pass[]
      latents: Latent[]
      images: Size[]
      image_of_batch?: { index: number; count: number } | null
      environment: { component: string; value: string }[]
      drifts: Drift[]
      hardware?: Record<string, unknown> | null
      resources?: Record<string, unknown>[]
      /** The total numbers, for lists that hold only the first items. */
      counts?: { tags?: number; passes?: number; resources?: number; environment?: number; drifts?: number }
      comfyui_version?: string | null
      has_workflow?: boolean
    }

  type Graphs = { workflow: object | null; prompt: Record<string, object> | null }
  /** The response of `POST /gen5/read`. */
  type Read = Graphs & { root: string; version: string; sealed: boolean; facts: Facts }
  /** The last line of `GET /gen5/verify`. */
  type Report = {
    checked_bytes: number
    chunk_count: number
    notes?: string[]
    sealed?: boolean
    trust?: Trust
    uncovered_bytes?: number
  }
  type ErrorAnswer = { error: string; kind?: string | null }

  /** One file of `GET /gen5/library`. */
  type Item = {
    name: string
    size_bytes: number
    mtime: number
    seed: string | null
    sampler: string | null
    prompt: string | null
    model_name: string | null
    tags: string[] | null
    images: number
    latents: number
    carrier: boolean
    error: string | null
    kind?: string | null
    trust: TrustWord | null
    drift_count: number | null
  }
  type Scan = { running: boolean; done: number; total: number }
  type Page = { items: Item[]; total: number; files: number; offset: number; scan: Scan }

  /** Save Gen5's result for a file. */
  type Saved = {
    filename: string
    subfolder: string
    type: string
    size_bytes: number
    noise_source: string
    reason: string | null
    reason_kind?: string | null
    step_noise?: { pass: number; stored: boolean; reason: string | null }[]
    signed_by?: string | null
    scrubbed?: string[] | null
  }
  /** Load Gen5's result for a file, every byte of which it has checked. */
  type Ran = { file: string; root: string; mtime: number; size_bytes: number; trust?: Trust; uncovered_bytes?: number }
  /** Compare With Stored's result; a figure that is not finite is null. */
  type Verdict = {
    verdict: string
    report: string
    identical: boolean
    max_difference: number | null
    psnr: number | null
    tolerance: number
  }
}

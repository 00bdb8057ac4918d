/** The part of ComfyUI's frontend API that this extension uses. */

declare namespace Host {
  type Point = [number, number]

  interface Slot {
    name: string
    type: string
    link?: number | null
  }

  interface Widget {
    name: string
    value: any
    label?: string
    options: { values?: string[] }
    serialize?: boolean
    callback?: (value: unknown, canvas: Canvas, node: Node) => void
    computeLayoutSize?: unknown
    computeSize?: (width?: number) => Point
  }

  interface Link {
    origin_id: number
    origin_slot: number
    parentId?: number
  }

  /** A node of the graph: LiteGraph's LGraphNode. */
  interface Node {
    id: number
    type: string
    comfyClass?: string
    title: string
    mode: number
    order: number
    pos: Point
    size: Point
    graph: Graph
    inputs: Slot[]
    outputs?: Slot[]
    widgets: Widget[]
    addWidget(kind: string, name: string, value: unknown, callback: () => void, options: object): Widget
    addDOMWidget(name: string, type: string, element: HTMLElement, options: object): Widget
    clone(): Node
    connect(slot: number | string, target: Node, input: number | string, parentId?: number): void
    disconnectInput(slot: number): void
    findInputSlot(name: string): number
    getInputLink(slot: number): Link | null
    getOutputNodes(slot: number): Node[] | null
    isSubgraphNode?(): boolean
    setSize(size: Point): void
    setDirtyCanvas?(foreground: boolean, background: boolean): void
    onConfigure?: (...given: unknown[]) => void
    onConnectionsChange?: (...given: unknown[]) => void
    onDragDrop?: (event: DragEvent) => boolean | Promise<boolean>
    onDragOver?: (event: DragEvent) => boolean
    onExecuted?: (output: Output) => void
    onRemoved?: () => void
    onWidgetChanged?: (name: string, value: unknown, before: unknown, widget: Widget) => void
  }

  interface Group {
    pos: Point
    size: Point
  }

  /** The input or output node of a subgraph. */
  interface Boundary {
    boundingRect: ArrayLike<number> & Iterable<number>
    slots: { connect(input: Slot, node: Node, parentId?: number): void }[]
  }

  interface Graph {
    nodes: Node[]
    groups?: Group[]
    _groups?: Group[]
    inputNode: Boundary
    outputNode?: Boundary
    rootGraph?: Graph
    subgraphs?: Map<string, Graph>
    add(node: Node): void
    getNodeById(id: number | string): Node | null
    serialize(): object
    afterChange?(): void
    beforeChange?(): void
    computeExecutionOrder?(keep: boolean): Node[]
    updateExecutionOrder?(): void
  }

  interface Canvas {
    graph: Graph
    graph_mouse: Point
    selected_nodes?: Record<string, Node>
    ds: { visible_area: [number, number, number, number] }
    deselectAll?(): void
    select?(node: Node): void
    emitAfterChange?(): void
    emitBeforeChange?(): void
    setDirty(foreground: boolean, background: boolean): void
    processMouseDown(event: Event): void
    processMouseMove(event: Event): void
    processMouseUp(event: Event): void
    processMouseWheel(event: Event): void
  }

  /** The output of a node's run; this pack's nodes put theirs under `gen5`. */
  interface Output {
    gen5?: any[]
  }

  type Severity = "success" | "info" | "warn" | "error"

  interface MenuItem {
    content: string
    callback?: () => void
    has_submenu?: boolean
    submenu?: { options: MenuItem[] }
  }

  interface SidebarTab {
    id: string
    icon: string
    title: string
    tooltip: string
    type: "custom"
    render(place: HTMLElement): void
    destroy(): void
  }

  interface Manager {
    command: { execute(id: string): void }
    dialog: { confirm(question: { title: string; message: string }): Promise<boolean | null> }
    setting: { get(id: string): unknown }
    toast: { add(message: { severity: Severity; summary: string; detail?: string; life?: number }): void }
    workflow?: { activeWorkflow: unknown }
    registerSidebarTab(tab: SidebarTab): void
    unregisterSidebarTab?(id: string): void
  }

  interface App {
    canvas: Canvas
    configuringGraph?: boolean
    dragOverNode: Node | null
    extensionManager: Manager
    graph: Graph
    nodeOutputs: Record<string, Output>
    rootGraph?: Graph
    ui?: { settings?: EventTarget }
    graphToPrompt(): Promise<{ output: Record<string, object> }>
    handleFile(file: File, ...rest: unknown[]): Promise<unknown>
    registerExtension(extension: object): void
  }

  interface Api {
    addEventListener(type: "executed", listener: (event: CustomEvent<{ output?: Output } | null>) => void): void
    apiURL(route: string): string
    fetchApi(route: string, options?: RequestInit): Promise<Response>
  }
}

declare module "*/scripts/app.js" {
  export const app: Host.App
}

declare module "*/scripts/api.js" {
  export const api: Host.Api
}

declare const LiteGraph: { vueNodesMode?: boolean; createNode(type: string): Host.Node }

interface Window {
  LiteGraph?: typeof LiteGraph
}
